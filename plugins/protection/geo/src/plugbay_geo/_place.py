"""What a database says of an address, in either of the two schemas that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EARTH = 6371.0
"""Mean radius in km."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where on the earth, in degrees, and within how many km of it (0 if nobody says)."""

    latitude: float
    longitude: float
    accuracy: float = 0.0

    def distance(self, other: Point) -> float:
        """Return the km to another point on the great circle (haversine)."""
        here, there = radians(self.latitude), radians(other.latitude)
        half = sin((there - here) / 2) ** 2
        turn = sin(radians(other.longitude - self.longitude) / 2) ** 2
        return 2 * EARTH * asin(min(1.0, sqrt(half + cos(here) * cos(there) * turn)))


@dataclass(frozen=True, slots=True)
class Place:
    """A country (ISO 3166-1 alpha-2), a network's number, its owner, a city and a point.

    What is not known is empty, 0 or None: an unknown location is not a place.
    """

    country: str = ""
    asn: int = 0
    owner: str = ""
    city: str = ""
    point: Point | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return bool(self.country or self.asn or self.point)

    @classmethod
    def of(cls, records: Iterable[object]) -> Place:
        """Read the records of several databases: of each fact, the first that has it counts."""
        country, asn, owner, city = "", 0, "", ""
        point: Point | None = None
        for record in records:
            if not isinstance(record, dict):
                continue
            facts = cast("dict[str, object]", record)
            country = country or _country(facts)
            asn = asn or _number(facts.get("autonomous_system_number"))
            owner = owner or _text(facts.get("autonomous_system_organization"))
            city = city or _city(facts)
            point = point or _point(facts)
        return cls(country, asn, owner, city, point)


def _inner(facts: Mapping[str, object], *names: str) -> Mapping[str, object]:
    for name in names:
        found = facts.get(name)
        facts = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    return facts


def _country(facts: Mapping[str, object]) -> str:
    found = facts.get("country_code") or _inner(facts, "country").get("iso_code")
    code = _text(found).upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else ""


def _city(facts: Mapping[str, object]) -> str:
    return _text(facts.get("city") or "") or _text(_inner(facts, "city", "names").get("en"))


def _point(facts: Mapping[str, object]) -> Point | None:
    """Return the point; (0, 0), in the sea off Africa, is how some databases say "unknown"."""
    where = facts if "latitude" in facts else _inner(facts, "location")
    latitude, longitude = _degrees(where.get("latitude"), 90), _degrees(where.get("longitude"), 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    return Point(latitude, longitude, float(_number(where.get("accuracy_radius"))))


def _degrees(found: object, most: float) -> float | None:
    if isinstance(found, str):  # some flat databases keep text
        try:
            found = float(found)
        except ValueError:
            return None
    if not isinstance(found, (int, float)) or isinstance(found, bool) or not isfinite(found):
        return None
    return float(found) if abs(found) <= most else None


def _number(found: object) -> int:
    if isinstance(found, str):
        return int(found) if found.isascii() and found.isdigit() and len(found) < 11 else 0
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def _text(found: object) -> str:
    return found[:128] if isinstance(found, str) else ""
