"""The plugin: who is limited, banned, allowed and lifted, and what the others are told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_antiabuse import AntiAbuse, Config
from plugbay_antiabuse._bans import Bans
from plugbay_antiabuse._salt import shared_salt

from plugbay.sdk import OperationRefused
from plugbay.sdk.protection import LIFT, VERDICT, VIOLATION
from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[AntiAbuse]], Awaitable[None]]

ENFORCE: dict[str, Any] = {"mode": "enforce", "limit": 3, "window": 10.0, "clients": 64}


def play(story: Story, host: FakeHost | None = None, state: bytes | None = None, **config: Any):
    async def main() -> None:
        made = Config(**{**ENFORCE, **config})
        async with run_plugin(AntiAbuse, made, host=host, state=state) as plugin:
            await story(plugin)

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - a background task of the plugin, without events
            await asyncio.sleep(0.001)


async def statuses(plugin: Running[AntiAbuse], count: int, **options: Any) -> list[int]:
    return [(await plugin.request("GET", "/", **options)).status for _ in range(count)]


def test_a_client_that_asks_too_often_is_refused_and_told_when() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        first = await plugin.request("GET", "/")
        assert first.headers["ratelimit"] == '"default";r=2;t=4'
        assert first.headers["ratelimit-policy"] == '"default";q=3;w=10'
        assert await statuses(plugin, 2) == [200, 200]
        refused = await plugin.request("GET", "/")
        assert (refused.status, refused.headers["retry-after"]) == (429, "4")
        assert refused.data() == {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
        }
        assert await statuses(plugin, 1, client="192.0.2.2") == [200]
        plugin.host.clock.advance(4)
        assert await statuses(plugin, 2) == [200, 429]
        (event, *_) = plugin.host.events.of(VIOLATION)
        assert event.data["identity"] == "192.0.2.1"
        assert event.data["reason"] == "rate"
        assert event.data["client"] == "192.0.2.1"

    play(story)


def test_an_ipv6_client_is_its_network() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        seen = [(await plugin.request("GET", client=f"2001:db8::{n}")).status for n in range(1, 6)]
        assert seen == [200, 200, 200, 429, 429]
        assert await statuses(plugin, 1, client="2001:db8:0:1::1") == [200]

    play(story)


def test_a_key_is_limited_wherever_it_comes_from_and_does_not_free_an_address() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        def key(number: int) -> dict[str, str]:
            return {"x-api-key": f"k{number}"}

        rotated = [(await plugin.request("GET", headers=key(n))).status for n in range(5)]
        assert rotated == [200, 200, 200, 429, 429]
        spread = [
            (await plugin.request("GET", headers=key(9), client=f"198.51.100.{n}")).status
            for n in range(4)
        ]
        assert spread == [200, 200, 429, 429]
        assert plugin.host.events.of(VIOLATION)[-1].data["identity"].startswith("key:")

    play(story, key_header="X-Api-Key", key_limit=2)


def test_networks_that_are_allowed_are_not_counted() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        assert set(await statuses(plugin, 20, client="10.1.2.3")) == {200}
        answer = await plugin.request("GET", client="10.1.2.3")
        assert "ratelimit" not in answer.headers
        await plugin.event(VERDICT, action="ban", identity="10.1.2.3", seconds=60)
        assert await statuses(plugin, 1, client="10.1.2.3") == [200]
        with pytest.raises(OperationRefused, match="allow-list"):
            plugin.plugin.on_operation("ban", {"ip": "10.1.2.3", "seconds": 9})

    play(story)


def test_in_monitor_mode_everything_passes_and_is_counted() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        assert set(await statuses(plugin, 6)) == {200}
        assert plugin.host.events.of(VIOLATION)[0].data["mode"] == "monitor"
        assert not plugin.host.events.of(VERDICT)
        await plugin.event(VERDICT, action="ban", identity="192.0.2.1", seconds=60)
        assert plugin.plugin.on_operation("status", {})["banned"] == 0

    play(story, mode="monitor", ban_after=2)


def test_who_does_not_stop_is_banned_and_longer_each_time() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        assert await statuses(plugin, 6) == [200] * 3 + [429] * 3
        (order,) = plugin.host.events.of(VERDICT)
        assert (order.data["action"], order.data["seconds"]) == ("ban", 100.0)
        plugin.host.clock.advance(50)
        banned = await plugin.request("GET")
        assert banned.status == 403
        assert "retry-after" not in banned.headers
        assert plugin.plugin.on_operation("check", {"ip": "192.0.2.1"})["reason"] == "rate"
        plugin.host.clock.advance(51)
        assert (await statuses(plugin, 6))[:3] == [200] * 3
        assert plugin.host.events.of(VERDICT)[-1].data["seconds"] == 150.0

    play(story, ban_after=3, ban_seconds=100.0, ban_most=150.0)


def test_refusals_that_lie_far_apart_earn_no_ban() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        for _ in range(4):
            assert (await statuses(plugin, 4))[-1] == 429
            plugin.host.clock.advance(11)
        assert not plugin.host.events.of(VERDICT)

    play(story, ban_after=2, ban_window=5.0)


def test_others_ban_allow_and_lift() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        await plugin.event(VERDICT, action="ban", identity="192.0.2.1", seconds=60, reason="geo")
        assert await statuses(plugin, 1) == [403]
        await plugin.event(VERDICT, action="allow", identity="192.0.2.1", seconds=5)
        assert await statuses(plugin, 9) == [200] * 9
        plugin.host.clock.advance(6)
        assert await statuses(plugin, 1) == [403]
        await plugin.event(LIFT, identity="192.0.2.1")
        assert await statuses(plugin, 1) == [200]
        for nonsense in ({}, {"action": "explode", "identity": "a"}, {"action": "ban"}):
            await plugin.event(VERDICT, **nonsense)
        await plugin.event(VERDICT, action="ban", identity="a", seconds=-1)
        await plugin.event(VERDICT, action="tarpit", identity="a", seconds=1)
        assert plugin.plugin.on_operation("bans", {}) == {"items": [], "total": 0}

    play(story)


def test_administrators_ban_check_and_lift() -> None:
    async def story(plugin: Running[AntiAbuse]) -> None:
        ask = plugin.plugin.on_operation
        said = ask("ban", {"ip": "2001:db8::7", "seconds": 30, "reason": "rude"})
        assert said == {"identity": "2001:db8::/64", "seconds": 30.0}
        assert await statuses(plugin, 1, client="2001:db8::1") == [403]
        (listed,) = ask("bans", {})["items"]
        assert (listed["identity"], listed["reason"]) == ("2001:db8::/64", "rude")
        assert ask("status", {})["banned"] == 1
        assert ask("lift", {"identity": "2001:db8::7"})["banned"] is True
        assert plugin.host.events.of(LIFT)[0].data == {"identity": "2001:db8::/64"}
        assert await statuses(plugin, 4, client="2001:db8::1") == [200, 200, 200, 429]
        ask("lift", {"ip": "2001:db8::1"})
        assert await statuses(plugin, 1, client="2001:db8::1") == [200]
        ask("allow", {"ip": "192.0.2.1", "seconds": 60})
        assert set(await statuses(plugin, 9)) == {200}
        assert ask("check", {"identity": "192.0.2.1"})["ahead"] == 0
        for wrong in ({}, {"ip": ""}, {"ip": 7}, {"ip": "x" * 300}, {"ip": "a", "seconds": "x"}):
            with pytest.raises(OperationRefused):
                ask("ban", wrong)

    play(story)


def test_bans_are_handed_on_and_kept() -> None:
    host = FakeHost()
    states: list[bytes] = []

    async def first(plugin: Running[AntiAbuse]) -> None:
        plugin.plugin.on_operation("ban", {"ip": "192.0.2.1", "seconds": 60})
        states.append(plugin.snapshot())
        await until(lambda: host.kv._values)

    async def second(plugin: Running[AntiAbuse]) -> None:
        assert await statuses(plugin, 1) == [403]

    async def third(plugin: Running[AntiAbuse]) -> None:
        await until(lambda: plugin.plugin.on_operation("status", {})["banned"])
        assert await statuses(plugin, 1) == [403]

    play(first, host)
    play(second, state=states[0])
    play(third, host)


def test_the_store_may_be_away_or_hold_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugbay_antiabuse._bans._PAUSE", 0.001)
    monkeypatch.setattr("plugbay_antiabuse._bans._LARGEST", 1000)

    async def main() -> None:
        host = FakeHost()
        await host.kv.set("bans/1", b"{")
        await host.kv.set("bans/2", json.dumps({"banned": [["a", 1.0, "old"]]}).encode())
        host.kv.available = False
        bans = Bans(host, 10_000)
        host.spawn(bans.keep(), name="keep")
        await until(lambda: host.messages)
        for number in range(3000):
            bans.ban(f"10.0.{number // 250}.{number % 250}", 1000.0 + number, "x")
        host.kv.available = True
        await until(lambda: not bans._dirty and len(host.messages) > 1)
        assert any("cannot be read" in message for message in host.messages)
        assert bans.lift("10.0.0.0")
        await until(lambda: not bans._dirty)
        again = Bans(host, 10_000)
        await again.load()
        assert 500 < len(again.banned) < 3000  # the longest of each shard
        for identity, _, _ in tuple(again.banned.items(0.0)):
            again.lift(identity)
        await again._write()
        assert await host.kv.keys("bans/") in ([], ["bans/1"], ["bans/2"], ["bans/1", "bans/2"])
        await host.close()

    asyncio.run(main())


def test_the_salt_is_made_once(tmp_path: Path) -> None:
    salt = shared_salt(tmp_path)
    assert len(salt) == 16
    assert shared_salt(tmp_path) == salt
    assert [path.name for path in tmp_path.iterdir()] == ["salt"]


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"burst": -1}, {"ban_most": 1.0}, {"allow": ("300.0.0.0/8",)}, {"clients": 1}],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|appear"):
        Config(**wrong)
