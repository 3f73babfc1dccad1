"""Who is refused for where he is, and who is not."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_geo import ANOMALY, Config, Geo, Rate

from plugbay.sdk import OperationRefused, Request, Response
from plugbay.sdk.protection import LIFT, THREAT, VIOLATION
from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[Geo]], Awaitable[None]]

DATA = Path(__file__).parent / "data"
FILES = tuple(str(DATA / f"GeoLite2-{name}-Test.mmdb") for name in ("City", "ASN"))
BRITON, SWEDE, CHINESE, US = "81.2.69.160", "89.160.20.113", "175.16.199.1", "216.160.83.57"
NOWHERE = "198.51.100.7"
SESSION = {"cookie": "sid=abc"}
TRAVEL = {"session_cookie": "sid", "key_header": "x-key"}


def play(
    story: Story, state: bytes | None = None, host: FakeHost | None = None, **config: Any
) -> None:
    async def main() -> None:
        made = Config(**{"mode": "enforce", "databases": FILES, **config})
        async with run_plugin(Geo, made, state=state, host=host) as plugin:
            await story(plugin)

    asyncio.run(main())


def ask(plugin: Running[Geo], client: str, **fields: str) -> Response | None:
    return plugin.plugin.on_request(Request("GET", "/", headers=fields, client=client))


def refused(plugin: Running[Geo], client: str, **fields: str) -> bool:
    return ask(plugin, client, **fields) is not None


# --- policy


def test_without_databases_nobody_is_anywhere() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON)
        assert plugin.plugin.databases.find(BRITON).known is False

    play(story, databases=(), deny_countries=("GB",))


def test_countries_and_networks_are_denied() -> None:
    async def story(plugin: Running[Geo]) -> None:
        answer = ask(plugin, BRITON)
        assert answer is not None
        assert answer.status == 403
        assert b"GB" not in answer.body if isinstance(answer.body, bytes) else False
        assert refused(plugin, SWEDE)
        assert not refused(plugin, CHINESE)
        assert not refused(plugin, NOWHERE)
        assert [e.data["reason"] for e in plugin.host.events.of(ANOMALY)] == ["country", "asn"]

    play(story, deny_countries=("GB",), deny_asns=(29518,))


@pytest.mark.parametrize("unknown", ["allow", "block"])
def test_who_is_nowhere_known_passes_an_allow_list_only_if_he_may(unknown: str) -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, SWEDE)
        assert refused(plugin, US)
        assert refused(plugin, BRITON) == (unknown == "block")  # no network is known
        assert refused(plugin, NOWHERE) == (unknown == "block")

    play(story, allow_countries=("SE", "GB"), allow_asns=(29518,), unknown=unknown)
    play(story, allow_asns=(29518,), unknown=unknown)


def test_exempt_networks_pass_wherever_they_are() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON)
        assert not refused(plugin, SWEDE)
        assert refused(plugin, US)

    play(story, allow_countries=("CN",), exempt=("81.2.69.0/24",), exempt_asns=(29518,))


def test_in_monitor_mode_all_pass_and_it_is_told() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON)
        (told,) = plugin.host.events.of(ANOMALY)
        assert (told.data["mode"], told.data["client"]) == ("monitor", BRITON)

    play(story, mode="monitor", deny_countries=("GB",))


def test_a_country_has_a_limit_of_its_own() -> None:
    async def story(plugin: Running[Geo]) -> None:
        answers = [ask(plugin, BRITON) for _ in range(3)]
        assert [answer is None for answer in answers] == [True, True, False]
        assert answers[2] is not None
        assert (answers[2].status, answers[2].headers["retry-after"]) == (429, "15")
        assert not refused(plugin, SWEDE)
        assert plugin.host.events.of(VIOLATION)[0].data["reason"] == "country-rate"

    rates = {"GB": Rate(limit=2, window=30.0), "*": Rate(limit=1000)}
    play(story, country_rates=rates)
    play(story, country_rates={"GB": rates["GB"]})


# --- journeys


def test_a_session_that_hops_is_refused_and_its_owner_is_not() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON, **SESSION)
        plugin.host.clock.advance(60)
        assert refused(plugin, CHINESE, **SESSION)
        assert not refused(plugin, BRITON, **SESSION)
        (told,) = plugin.host.events.of(ANOMALY)
        assert told.data["reason"] == "travel"
        assert told.data["identity"].startswith("session:")
        assert "km in" in told.data["detail"]
        plugin.host.clock.advance(10 * 3600)
        assert not refused(plugin, CHINESE, **SESSION)

    play(story, **TRAVEL)


def test_a_key_travels_too_but_an_address_does_not() -> None:
    async def story(plugin: Running[Geo]) -> None:
        for client in (BRITON, CHINESE, US):
            assert not refused(plugin, client)
        assert not refused(plugin, BRITON, **{"x-key": "k"})
        assert refused(plugin, US, **{"x-key": "k"})
        assert not refused(plugin, NOWHERE, **{"x-key": "k"})
        assert not refused(plugin, US, **{"x-key": "other"})

    play(story, **TRAVEL)


def test_short_ways_and_slack_of_databases_are_no_journey() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON, **SESSION)
        assert not refused(plugin, "81.2.69.161", **SESSION)
        assert not refused(plugin, "2.125.160.217", **SESSION)  # 80 km away

    play(story, **TRAVEL)


def test_other_workers_know_the_journey() -> None:
    blocks: dict[tuple[str, int], bytearray] = {}

    async def first(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON, **SESSION)

    async def second(plugin: Running[Geo]) -> None:
        assert refused(plugin, CHINESE, **SESSION)

    play(first, host=FakeHost(blocks=blocks), **TRAVEL)
    play(second, host=FakeHost(blocks=blocks, index=1), **TRAVEL)


# --- clusters


def test_suspects_near_each_other_are_refused() -> None:
    async def story(plugin: Running[Geo]) -> None:
        for number in range(3):
            await plugin.event(VIOLATION, client=f"81.2.69.{160 + number}")
        assert refused(plugin, BRITON)
        assert not refused(plugin, "81.2.69.190")
        assert not refused(plugin, SWEDE)
        assert plugin.host.events.of(ANOMALY)[0].data["reason"] == "cluster"
        plugin.host.clock.advance(7201)
        assert not refused(plugin, BRITON)

    play(story, cluster_size=3)


def test_events_that_say_nothing_are_left_alone() -> None:
    async def story(plugin: Running[Geo]) -> None:
        for data in ({}, {"client": 5}, {"client": "10.0.0.1"}, {"client": NOWHERE}):
            await plugin.event(THREAT, **data)
        await plugin.event(THREAT, client=SWEDE)
        assert plugin.plugin.databases
        assert (await operate(plugin, "status"))["clustered"] == 0

    play(story, exempt_asns=(29518,))


def test_all_may_be_counted() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert [refused(plugin, f"81.2.69.{160 + n % 3}") for n in range(5)] == [
            False,
            False,
            True,
            True,
            True,
        ]
        await plugin.event(THREAT, client=SWEDE)
        assert (await operate(plugin, "status"))["clustered"] == 3

    play(story, cluster_of="all", cluster_size=3)


# --- administrators


async def operate(plugin: Running[Geo], name: str, **arguments: Any) -> Any:
    return await plugin.plugin.on_operation(name, arguments)


def test_administrators_look_and_lift() -> None:
    async def story(plugin: Running[Geo]) -> None:
        assert (await operate(plugin, "lookup", ip=SWEDE))["city"] == "Linköping"
        assert (await operate(plugin, "lookup", ip=NOWHERE))["latitude"] is None
        status = await operate(plugin, "status")
        assert [one["kind"] for one in status["databases"]] == ["GeoLite2-City", "GeoLite2-ASN"]
        assert refused(plugin, BRITON)
        assert await operate(plugin, "lift", ip=BRITON) == {"identity": BRITON}
        assert not refused(plugin, BRITON)
        assert (await operate(plugin, "check", ip=BRITON))["lifted"]
        assert plugin.host.events.of(LIFT)[0].data == {"identity": BRITON}
        await plugin.event(LIFT, identity=BRITON)
        plugin.host.clock.advance(86_401)
        assert refused(plugin, BRITON)
        for name in ("lookup", "check", "lift"):
            with pytest.raises(OperationRefused):
                await operate(plugin, name, ip=["x"])

    play(story, deny_countries=("GB",))


def test_lifts_are_kept_for_workers_and_handed_on() -> None:
    host = FakeHost()
    states: list[bytes] = []

    async def first(plugin: Running[Geo]) -> None:
        await operate(plugin, "lift", ip=BRITON)
        for number in range(3):
            await plugin.event(VIOLATION, client=f"81.2.69.{161 + number}")
        states.append(plugin.snapshot())
        host.kv.available = False
        await operate(plugin, "lift", ip=US)
        assert any("not kept" in message for message in host.messages)
        host.kv.available = True

    async def another(plugin: Running[Geo]) -> None:
        await asyncio.gather(*host.tasks, return_exceptions=True)
        assert (await operate(plugin, "check", ip=BRITON))["lifted"]

    async def next_generation(plugin: Running[Geo]) -> None:
        assert not refused(plugin, BRITON)
        assert refused(plugin, "81.2.69.161")

    play(first, host=host, cluster_size=3)
    play(another, host=host, databases=())
    play(next_generation, states[0])


def test_what_cannot_be_read_is_told() -> None:
    host = FakeHost()
    host.kv.available = False

    async def story(plugin: Running[Geo]) -> None:
        await asyncio.gather(*host.tasks)
        assert any("cannot be read" in message for message in host.messages)

    play(story, host=host, databases=())


async def until(true: Callable[[], bool]) -> None:
    """Let the plugin's own tasks run until it is so."""
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


def test_a_changed_file_is_taken_in_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "now.mmdb"
    shutil.copy(FILES[1], path)

    async def story(plugin: Running[Geo]) -> None:
        databases = plugin.plugin.databases
        assert databases.find(BRITON).country == ""
        fresh = tmp_path / "fresh"
        shutil.copy(FILES[0], fresh)
        fresh.replace(path)
        await until(lambda: databases.find(BRITON).country == "GB")
        fresh.write_bytes(b"nothing")
        fresh.replace(path)
        await until(lambda: any("is not renewed" in text for text in plugin.host.messages))
        assert databases.find(BRITON).country == "GB"
        assert (await operate(plugin, "status"))["errors"]

    play(story, databases=(str(path),), look_seconds=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exempt": ("x",)},
        {"deny_countries": ("ch",)},
        {"deny_countries": ("*",)},
        {"country_rates": {"CH": Rate(limit=0)}},
        {"look_seconds": 0},
        {"travel_kmh": -1},
        {"travel_ttl": 0},
        {"trails": 1},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|appear"):
        Config(**wrong)
