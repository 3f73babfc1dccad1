"""The plugin: it answers whom a feed names, swaps indexes, leads once, and can be corrected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from plugbay_threat import Config, Feed, Threat, _worker_side

from plugbay.sdk import OperationRefused
from plugbay.sdk.protection import LIFT, THREAT, VERDICT
from plugbay.sdk.testing import FakeHost, run_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from plugbay.sdk.testing import Running

    Story = Callable[[Running[Threat]], Awaitable[None]]

BAD, MILD, NETWORK = "192.0.2.1", "192.0.2.2", "2001:db8:7::5"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_worker_side, "LOOK", 0.02)


def feeds(folder: Path) -> tuple[Feed, ...]:
    (folder / "bad").write_text(f"{BAD}\n2001:db8:7::/48\nevil.example\n192.0.2.50\n")
    (folder / "mild").write_text(f"{MILD}\n")
    (folder / "good").write_text("192.0.2.50\nwww.evil.example\n")
    return (
        Feed(name="bad", path=str(folder / "bad")),
        Feed(name="mild", path=str(folder / "mild"), severity="low"),
        Feed(name="good", path=str(folder / "good"), allow=True),
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.01)


def play(folder: Path, story: Story, host: FakeHost | None = None, **config: Any) -> None:
    data = folder / "data"
    data.mkdir(exist_ok=True)

    async def main() -> None:
        made = Config(**{"mode": "enforce", "feeds": feeds(folder), **config})
        lent = host or FakeHost("threat", data_dir=data)
        async with run_plugin(Threat, made, host=lent) as plugin:
            if made.feeds:
                await until(lambda: len(plugin.plugin.keeper.index))
            await story(plugin)

    asyncio.run(main())


async def status(plugin: Running[Threat], client: str, **fields: str) -> int:
    return (await plugin.request("GET", "/", client=client, headers=fields)).status


def test_whom_a_feed_names_is_refused_and_told(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        assert [await status(plugin, c) for c in (BAD, NETWORK, MILD, "192.0.2.3", "?")] == [
            403,
            403,
            200,
            200,
            200,
        ]
        assert await status(plugin, "192.0.2.50") == 200  # an allow-list wins
        assert await status(plugin, "192.0.2.3") == 200
        first = plugin.host.events.of(THREAT)[0].data
        assert (first["identity"], first["detail"], first["action"]) == (BAD, "bad (high)", "block")
        assert plugin.host.events.of(THREAT)[-1].data["action"] == "allow"
        answer = await plugin.request("GET", client=BAD)
        assert b"bad" not in answer.content

    play(tmp_path, story)


def test_a_referring_host_is_looked_up(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        async def refer(text: str) -> int:
            return await status(plugin, "192.0.2.9", referer=text)

        assert await refer("https://a.evil.example/x") == 403
        assert await refer("https://www.evil.example/") == 200
        assert await refer("https://good.example/") == 200
        assert await refer("http://[broken") == 200

    play(tmp_path, story)


@pytest.mark.parametrize(("action", "expected"), [("ban", 403), ("tarpit", 200)])
def test_other_actions(tmp_path: Path, action: str, expected: int) -> None:
    async def story(plugin: Running[Threat]) -> None:
        plugin.plugin._guard.drip = lambda: pytest.importorskip("plugbay.sdk").Drip(
            interval=0.01, seconds=0.02
        )
        assert await status(plugin, BAD) == expected
        assert [e.data["action"] for e in plugin.host.events.of(VERDICT)] == (
            ["ban"] if action == "ban" else []
        )

    play(tmp_path, story, action=action)


def test_in_monitor_mode_all_pass(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        assert await status(plugin, BAD) == 200
        assert plugin.host.events.of(THREAT)[0].data["mode"] == "monitor"

    play(tmp_path, story, mode="monitor")


def test_administrators_check_report_lift_and_refresh(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        operate = plugin.plugin.on_operation
        said = await operate("check", {"ip": BAD})
        assert said["blocked"]
        assert said["threat"] == {"source": "bad", "severity": "high", "expires": 0.0}
        assert not (await operate("check", {"ip": "192.0.2.50"}))["blocked"]
        assert (await operate("check", {"domain": "x.evil.example"}))["blocked"]
        assert not (await operate("check", {"domain": "fine.example"}))["blocked"]
        await operate("lift", {"ip": BAD})
        assert await status(plugin, BAD) == 200
        assert plugin.host.events.of(LIFT)
        assert (await operate("check", {"ip": BAD}))["lifted"]
        assert await status(plugin, "198.51.100.1") == 200
        await operate("report", {"ip": "198.51.100.1", "seconds": 60, "reason": "seen"})
        assert await status(plugin, "198.51.100.1") == 403
        plugin.host.clock.advance(61)
        assert await status(plugin, "198.51.100.1") == 200
        (tmp_path / "bad").write_text("198.51.100.77\n")
        assert await operate("refresh", {}) == {"leads": True}
        await until(lambda: plugin.plugin.find("198.51.100.77"))
        found = await operate("status", {})
        assert found["feeds"]["bad"] == {"indicators": 1, "error": ""}
        assert found["threat_indicators"] == 2
        for name, wrong in (
            ("check", {}),
            ("report", {"ip": "nobody"}),
            ("report", {"ip": BAD, "seconds": 0}),
        ):
            with pytest.raises(OperationRefused):
                await operate(name, wrong)

    play(tmp_path, story)


def test_an_event_lifts_and_state_is_handed_on_and_kept(tmp_path: Path) -> None:
    host = FakeHost("threat", data_dir=tmp_path / "data")

    async def first(plugin: Running[Threat]) -> None:
        await plugin.event(LIFT, identity=BAD)
        assert await status(plugin, BAD) == 200
        await plugin.plugin.on_operation("report", {"ip": "198.51.100.1"})
        state = plugin.snapshot()
        other = FakeHost("threat", data_dir=tmp_path / "data")
        made = Config(mode="enforce", feeds=plugin.plugin.config.feeds)
        async with run_plugin(Threat, made, host=other, state=state) as second:
            assert not second.plugin.keeper.leads
            assert await status(second, BAD) == 200  # the index is there at once
            assert await status(second, NETWORK) == 403
            assert await status(second, "198.51.100.1") == 403

    async def third(plugin: Running[Threat]) -> None:
        await until(lambda: plugin.plugin._reported)
        assert await status(plugin, "198.51.100.1") == 403

    play(tmp_path, first, host)
    play(tmp_path, third, host, feeds=())


def test_another_worker_takes_the_lead_when_the_first_ends(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        made = Config(mode="enforce", feeds=plugin.plugin.config.feeds)
        other = FakeHost("threat", data_dir=tmp_path / "data")
        async with run_plugin(Threat, made, host=other) as second:
            assert plugin.plugin.keeper.leads
            await until(lambda: len(second.plugin.keeper.index))
            assert not second.plugin.keeper.leads
            await plugin.host.close()
            await until(lambda: second.plugin.keeper.leads)

    play(tmp_path, story)


def test_trouble_is_told_and_the_last_index_counts(tmp_path: Path) -> None:
    async def story(plugin: Running[Threat]) -> None:
        keeper = plugin.plugin.keeper
        (tmp_path / "broken").write_bytes(b"broken")
        (tmp_path / "broken").replace(tmp_path / "data" / "index.bin")
        (tmp_path / "mild").unlink()
        keeper.look()
        assert any("cannot be read" in line for line in plugin.host.messages)
        assert await status(plugin, BAD) == 403
        keeper.hurry.set()
        await until(lambda: keeper.report["feeds"]["mild"]["error"])
        assert (await plugin.plugin.on_operation("status", {}))["feeds"]["mild"]["error"]

    play(tmp_path, story)


def test_a_job_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(plugin: Running[Threat]) -> None:
        monkeypatch.setattr(_worker_side, "_CODE", "raise SystemExit('no memory # {package}')")
        plugin.plugin.keeper.hurry.set()
        await until(lambda: any("no memory" in line for line in plugin.host.messages))
        assert await status(plugin, BAD) == 403

    play(tmp_path, story)
