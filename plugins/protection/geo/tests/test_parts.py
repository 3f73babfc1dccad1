"""Places, databases, trails, clusters and rates, each alone."""

from __future__ import annotations

import asyncio
import sys
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from geo_mmdb import write
from plugbay_geo import DatabaseUnreadable
from plugbay_geo._clusters import Clusters
from plugbay_geo._databases import UNKNOWN, Databases
from plugbay_geo._place import Place, Point
from plugbay_geo._rates import EACH, SIZE, CountryRates
from plugbay_geo._trails import COARSE, Trails

from plugbay.sdk import SharedMemory

DATA = Path(__file__).parent / "data"
CITY, ASN = DATA / "GeoLite2-City-Test.mmdb", DATA / "GeoLite2-ASN-Test.mmdb"
LONDON, ZURICH, TOKYO = Point(51.51, -0.09), Point(47.37, 8.54), Point(35.69, 139.75)
FLAT = {
    "country_code": "CH",
    "city": "Zürich",
    "latitude": 47.37,
    "longitude": 8.54,
    "postcode": "8001",
    "state1": "Zurich",
    "timezone": "Europe/Zurich",
}


def opened(*paths: Path) -> Databases:
    databases = Databases(paths)
    asyncio.run(databases.load())
    return databases


# --- places


def test_the_official_schema_and_networks_are_put_together() -> None:
    place = opened(CITY, ASN).find("89.160.20.113")
    assert (place.country, place.city, place.asn, place.owner) == (
        "SE",
        "Linköping",
        29518,
        "Bredband2 AB",
    )
    assert place.point == Point(58.4167, 15.6167, 76.0)
    assert opened(CITY).find("2001:218::1").country == "JP"


def test_the_flat_schema_is_read_too(tmp_path: Path) -> None:
    four, six = tmp_path / "v4.mmdb", tmp_path / "v6.mmdb"
    write(four, {"203.0.113.0/24": FLAT})
    write(six, {"2001:db8::/32": {**FLAT, "city": "Bern"}}, version=6, kind="city ipv6")
    databases = opened(four, six)
    assert databases.find("203.0.113.9") == Place("CH", 0, "", "Zürich", Point(47.37, 8.54))
    assert databases.find("2001:db8::9%eth0").city == "Bern"
    assert databases.find("::ffff:203.0.113.9").country == "CH"
    assert databases.find("198.51.100.1") == UNKNOWN
    assert not databases.find("no address").known
    assert not databases.errors


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        {},
        {"country_code": "Switzerland"},
        {"country_code": "1!"},
        {"latitude": 0.0, "longitude": 0.0},
        {"latitude": nan, "longitude": 8.0},
        {"latitude": 91.0, "longitude": 8.0},
        {"latitude": "north", "longitude": "8"},
        {"latitude": True, "longitude": inf},
        {"location": 5, "country": "CH", "city": ["Bern"]},
        {"autonomous_system_number": -1},
        {"autonomous_system_number": "AS1"},
    ],
)
def test_an_unknown_location_is_not_a_place(record: object) -> None:
    assert not Place.of([record]).known


def test_text_where_numbers_should_be_is_read() -> None:
    place = Place.of(
        [{"latitude": "47.37", "longitude": "8.54", "autonomous_system_number": "3303"}]
    )
    assert place == Place(asn=3303, point=Point(47.37, 8.54))


def test_distances_are_those_of_the_globe() -> None:
    assert LONDON.distance(ZURICH) == pytest.approx(777, abs=10)
    assert LONDON.distance(TOKYO) == pytest.approx(9560, abs=30)
    assert Point(0.1, 179.9).distance(Point(0.1, -179.9)) == pytest.approx(22.2, abs=0.1)


# --- databases


def test_a_file_is_taken_in_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "flat.mmdb"
    write(path, {"203.0.113.0/24": FLAT})
    databases = opened(path)
    assert databases.find("203.0.113.1").country == "CH"
    assert not asyncio.run(databases.renew())
    write(path, {"203.0.113.0/24": {**FLAT, "country_code": "LI"}})
    assert asyncio.run(databases.renew())
    assert databases.find("203.0.113.1").country == "LI"


def test_a_bad_file_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / "flat.mmdb"
    write(path, {"203.0.113.0/24": FLAT})
    databases = opened(path)
    bad = tmp_path / "bad"
    bad.write_bytes(b"no database")
    bad.replace(path)
    assert not asyncio.run(databases.renew())
    assert str(path) in databases.errors
    assert databases.find("203.0.113.1").country == "CH"
    path.unlink()
    assert not asyncio.run(databases.renew())
    assert "No such file" in databases.errors[str(path)]
    write(path, {"203.0.113.0/24": FLAT})
    assert asyncio.run(databases.renew())
    assert not databases.errors


def test_what_is_damaged_inside_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "flat.mmdb"
    write(path, {"203.0.113.0/24": FLAT})
    raw = path.read_bytes()
    at = raw.index(b"country_code") - 1
    path.write_bytes(raw[:at] + b"\xff" + raw[at + 1 :])
    databases = opened(path)
    assert databases.find("203.0.113.1") == UNKNOWN
    assert str(path) in databases.errors


def test_a_missing_file_or_reader_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(DatabaseUnreadable, match="No such file"):
        opened(tmp_path / "none.mmdb")
    monkeypatch.setitem(sys.modules, "maxminddb.extension", None)
    with pytest.raises(DatabaseUnreadable, match=r"plugbay\[protection\]"):
        opened(CITY)


# --- trails


def trails(words: int = 4096, ttl: float = 86_400.0) -> Trails:
    return Trails(SharedMemory(memoryview(bytearray(words * 8)), 0, 1), ttl)


@pytest.mark.parametrize(
    "point", [LONDON, TOKYO, Point(-90, -180), Point(90, 180), Point(-33.9, 151.2)]
)
def test_a_trail_is_right_within_its_coarseness(point: Point) -> None:
    kept = trails()
    kept.put("session:a", point, 1000.0)
    found = kept.last("session:a", 1100.0)
    assert found is not None
    assert found.point.distance(point) <= COARSE
    assert abs(found.ago - 100.0) <= 8.0
    assert kept.last("session:b", 1100.0) is None
    kept.forget("session:a")
    kept.forget("session:b")
    assert kept.last("session:a", 1100.0) is None


def test_trails_end_and_the_oldest_make_room() -> None:
    kept = trails(words=8, ttl=100.0)
    for number in range(9):
        kept.put(f"key:{number}", LONDON, 1000.0 + number * 8)
    assert kept.last("key:0", 1072.0) is None
    assert all(kept.last(f"key:{number}", 1072.0) for number in range(1, 9))
    assert kept.last("key:8", 1300.0) is None
    assert kept.last("key:8", 1063.0) is not None  # of a worker that is a step ahead


# --- clusters


def crowd(**changed: Any) -> Clusters:
    return Clusters(**{"radius": 50.0, "window": 600.0, "size": 3, "most": 100, **changed})


def test_distinct_addresses_near_each_other_are_a_cluster() -> None:
    seen = crowd()
    assert seen.add("a", LONDON, 0.0) == ()
    assert seen.add("a", LONDON, 1.0) == ()
    assert seen.add("b", Point(51.6, -0.2), 2.0) == ()
    assert seen.add("z", ZURICH, 3.0) == ()
    assert set(seen.add("c", Point(51.4, 0.0), 4.0)) == {"a", "b", "c"}


def test_a_cluster_is_found_across_the_date_line_and_at_the_pole() -> None:
    for points in (
        (Point(10, 179.99), Point(10, -179.99), Point(10, 179.9)),
        (Point(89.9, 0), Point(89.9, 120), Point(89.9, -120)),
    ):
        seen = crowd()
        found = [seen.add(str(n), point, 0.0) for n, point in enumerate(points)]
        assert len(found[-1]) == 3


def test_clusters_forget_what_is_old_or_too_much() -> None:
    seen = crowd(most=10)
    seen.add("a", LONDON, 0.0)
    seen.add("b", LONDON, 0.0)
    assert seen.is_fresh("a", 60.0)
    assert not seen.is_fresh("a", 90.0)
    assert seen.add("c", LONDON, 601.0) == ()
    for number in range(30):
        seen.add(str(number), Point(0, number * 5), 601.0)
    assert len(seen) == 10
    seen.forget("nobody")


# --- rates


def test_a_countrys_limit_is_one_for_all_workers() -> None:
    block = bytearray(SIZE + 2 * EACH)
    one, two = (CountryRates(SharedMemory(memoryview(block), n, 2)) for n in (0, 1))
    waits = [(one, two)[n % 2].take("CH", 10, 10.0, 5.0) for n in range(11)]
    assert waits[:10] == [0.0] * 10
    assert waits[10] == pytest.approx(1.0)
    assert one.take("LI", 10, 10.0, 5.0) == 0.0
    assert [two.take("CH", 10, 10.0, 7.0) == 0.0 for _ in range(3)] == [True, True, False]
    assert two.take("CH", 10, 10.0, 100.0) == 0.0


def test_another_limit_goes_on_and_heals() -> None:
    rates = CountryRates(SharedMemory(memoryview(bytearray(SIZE + EACH)), 0, 1))
    for _ in range(50):
        rates.take("ZZ", 100, 1.0, 9.0)
    passed = [rates.take("ZZ", 2, 3600.0, 9.0) == 0.0 for _ in range(4)]
    assert passed[:3] == [True, True, False]
