"""All of the system but the command line, with real plugins in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from plugbay.km import KmConfig, KmSystem, State
from plugbay.km import _supervised as supervised
from plugbay.km import _system as system_module
from plugbay.km._config import PluginConfig

from .conftest import KEY, Home, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


def run(system: KmSystem, scenario: Callable[[KmSystem], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(100):
            try:
                await system.load()
                await scenario(system)
            finally:
                await system.close()

    asyncio.run(whole())


def message(system: KmSystem, text: str, number: int = 0) -> None:
    system.message(text.encode(), "request", f"c-{number}")


def test_plugins_are_told_everything_in_order_and_ended(home: Home, console_logger: Path) -> None:
    told = home.write()
    home.install(console_logger)
    system = home.system(KmConfig(api_endpoint="http://127.0.0.1:1"))

    async def scenario(system: KmSystem) -> None:
        system.stream("start", {"server": "s"})
        system.message(b'{"id":1}', "request", "c-1")
        system.message(b'{"id":1,"result":{}}', "response", "c-1")
        system.error("it broke")
        system.stream("end", {"exit_code": "0"})

    run(system, scenario)
    calls = told()
    assert [one["what"] for one in calls] == [
        *("authenticate", "initialize"),
        *("stream", "message", "message", "error", "stream", "shutdown"),
    ]
    assert calls[1]["endpoint"] == "http://127.0.0.1:1"
    assert calls[1]["debug"]
    first, second = told("message")
    assert (first["direction"], second["direction"]) == ("request", "response")
    assert first["correlation"] == second["correlation"] == "c-1"
    assert told("error")[0]["kind"] == "general"
    assert [one["kind"] for one in told("stream")] == ["start", "end"]
    assert (
        "[PluginHandler] Loaded 2 plugins: ✓ console-logger v1.0.0 (Free tier),"
        " ✓ watcher v2.1.0 (Free tier)\n"
    ) in home.lines
    assert any(line.startswith("[console-logger] request 8 bytes [c-1]") for line in home.lines)
    assert not any(KEY in line for line in home.lines)
    for status in system.statuses:
        assert (status.told, status.lost, status.state) == (5, 0, State.ACTIVE)
    with pytest.raises(ProcessLookupError):
        os.kill(calls[0]["pid"], 0)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"key": "another"}, "wrong key"),
        ({"authorized": False}, "does not authorise"),
        ({"tier": "Pro"}, "needs the tier Pro, the user has Free"),
        ({"tier": "Platinum", "user_tier": "Enterprise"}, "needs the tier Platinum"),
        ({"user_tier": "Root"}, "the user has Root"),
        ({"lasts": -5}, "has expired"),
    ],
)
def test_who_may_not_use_a_plugin_does_without(home: Home, about: dict, reason: str) -> None:
    told = home.write(**about)

    async def scenario(system: KmSystem) -> None:
        (status,) = system.statuses
        assert status.state is State.UNAUTHORIZED
        assert reason in status.reason
        message(system, "secret")

    run(home.system(), scenario)
    assert not told("message")
    assert "[PluginHandler] Loaded 0 plugins\n" in home.lines
    said = [line for line in home.lines if reason in line]
    assert said
    assert all("debug:" in line for line in said)


def test_higher_tiers_include_the_lower(home: Home) -> None:
    home.write("pro", tier="pro", user_tier="Enterprise")

    async def scenario(system: KmSystem) -> None:
        assert [(one.state, one.tier) for one in system.statuses] == [(State.ACTIVE, "Pro")]

    run(home.system(), scenario)


def test_a_manifest_cannot_lower_the_tier_nor_the_plugin_that_of_its_manifest(home: Home) -> None:
    home.write("a", tier="Pro")
    home.write("b", tier="Free")
    (home.plugins / "a.manifest.json").write_text('{"name":"a","required_tier":"Free"}')
    (home.plugins / "b.manifest.json").write_text('{"name":"b","required_tier":"Pro"}')

    async def scenario(system: KmSystem) -> None:
        assert [one.state for one in system.statuses] == [State.UNAUTHORIZED] * 2

    run(home.system(), scenario)


def test_one_that_is_killed_comes_back_and_the_stream_goes_on(
    home: Home, console_logger: Path
) -> None:
    home.install(console_logger)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        go, python = system.plugins
        for round in range(3):
            before = go.status.restarts
            assert go.pid is not None
            os.kill(go.pid, signal.SIGKILL)
            for number in range(20):
                message(system, f"{round}.{number}")
            await until(lambda before=before: go.status.restarts == before + 1)
            assert go.status.state is State.ACTIVE
            message(system, "after", number=1000 + round)
            marked = f"request 5 bytes [c-{1000 + round}]"
            await until(lambda marked=marked: any(marked in line for line in home.lines))
        assert python.status.lost == 0

    run(home.system(), scenario)
    data = [one["data"] for one in told("message")]
    expected = [[f"{n}.{i}" for i in range(20)] + ["after"] for n in range(3)]
    assert data == [one for part in expected for one in part]


def test_one_that_dies_of_every_message_is_given_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "RESTARTS", 1)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        (one,) = system.plugins
        for _ in range(2):
            message(system, "die")
        await until(lambda: one.status.state is State.FAILED)
        assert "ended too often" in one.status.reason
        message(system, "more")
        assert one.pid is None

    run(home.system(), scenario)
    assert len({call["pid"] for call in told("message")}) == 2
    stays = "[PluginHandler] ✗ watcher stays away: it ended too often; the last time: the process"
    assert f"{stays} ended by exit code 3\n" in home.lines


def test_one_whose_first_start_fails_is_started_again_and_told_all(home: Home) -> None:
    told = home.write(dies="once")

    async def scenario(system: KmSystem) -> None:
        (status,) = system.statuses
        assert status.state is State.RESTARTING
        assert "Initialize: the process ended by exit code 3" in status.reason
        message(system, "early")
        await until(lambda: status.told == 1)
        assert (status.state, status.reason, status.restarts) == (State.ACTIVE, "", 0)

    run(home.system(), scenario)
    assert [one["data"] for one in told("message")] == ["early"]
    said = [line for line in home.lines if "debug:" not in line]
    reason = "Initialize: the process ended by exit code 3"
    assert said == [
        "[PluginHandler] Loaded 0 plugins\n",
        f"[PluginHandler] ✗ watcher is tried again: {reason}\n",
        "[PluginHandler] ✓ watcher v2.1.0 runs now\n",
    ]


def test_one_that_never_comes_up_is_given_up_aloud(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "RESTARTS", 1)
    home.write(dies="always")

    async def scenario(system: KmSystem) -> None:
        (status,) = system.statuses
        await until(lambda: status.state is State.FAILED)
        assert status.reason.startswith("it could not be started; the last time: Initialize: ")
        message(system, "never")

    run(home.system(), scenario)
    said = [line for line in home.lines if "debug:" not in line]
    assert said[-1].startswith("[PluginHandler] ✗ watcher stays away: it could not be started;")


def test_one_that_is_given_up_while_others_load_is_told_of_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "RESTARTS", 0)
    home.write("good")  # in Python: the other has failed long before
    (home.plugins / "km-plugin-broken").write_text("#!/bin/sh\nexit 3\n")
    (home.plugins / "km-plugin-broken").chmod(0o755)

    async def scenario(system: KmSystem) -> None:
        message(system, "hello")

    run(home.system(), scenario)
    (said,) = [line for line in home.lines if "✗ broken" in line]
    assert said.startswith("[PluginHandler] ✗ broken stays away: it could not be started;")


def test_one_that_cannot_come_up_hinders_nobody(home: Home) -> None:
    home.write("broken", dies="always")
    told = home.write("good")
    (home.plugins / "km-plugin-none").write_text("no program")
    (home.plugins / "km-plugin-none").chmod(0o755)

    async def scenario(system: KmSystem) -> None:
        states = {one.name: one.state for one in system.statuses}
        assert states == {
            "broken": State.RESTARTING,
            "good": State.ACTIVE,
            "none": State.RESTARTING,
        }
        message(system, "hello")

    run(home.system(), scenario)
    assert [one["data"] for one in told("message")] == ["hello"]


def test_one_that_hangs_is_ended_and_started_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (supervised, system_module):
        monkeypatch.setattr(module, "SECONDS", 2.0)
    monkeypatch.setattr(supervised, "STALLED", 1)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        message(system, "hang")
        message(system, "after")
        await until(lambda: told("message"))
        assert system.statuses[0].restarts == 1

    run(home.system(), scenario)
    assert [one["data"] for one in told("message")] == ["after"]


def test_what_a_plugin_says_no_to_is_counted(home: Home) -> None:
    home.write()

    async def scenario(system: KmSystem) -> None:
        message(system, "fail")
        message(system, "good")
        await until(lambda: system.statuses[0].told == 1)
        assert system.statuses[0].lost == 1

    run(home.system(), scenario)
    assert "[PluginHandler] ⚠ watcher: it says no\n" in home.lines
    assert "[PluginHandler] watcher has missed 1 of 2 messages and events\n" in home.lines


def test_that_no_key_is_set_is_said(home: Home) -> None:
    home.write()

    async def scenario(system: KmSystem) -> None:
        assert system.statuses[0].state is State.UNAUTHORIZED

    run(home.system(key=""), scenario)
    said = "[PluginHandler] ✗ watcher: wrong key; no API key is set (KM_API_KEY)\n"
    assert said in home.lines


def test_it_is_authorised_again_before_it_expires_and_ended_when_it_is_not(home: Home) -> None:
    told = home.write(lasts=2)

    async def scenario(system: KmSystem) -> None:
        await until(lambda: len(told("authenticate")) >= 2)
        assert system.statuses[0].state is State.ACTIVE
        told.beside(".deny").touch()
        await until(lambda: system.statuses[0].state is State.UNAUTHORIZED)
        message(system, "not for it")

    run(home.system(), scenario)
    assert "[PluginHandler] ✗ watcher is ended: wrong key\n" in home.lines
    assert not told("message")
    assert told("shutdown")


def test_a_key_that_a_plugin_tells_is_not_shown(home: Home) -> None:
    home.write(tells=True)

    async def scenario(system: KmSystem) -> None:
        assert system.statuses[0].reason == "what is (the API key)"

    run(home.system(), scenario)
    assert "[watcher] the key is (the API key)\n" in home.lines
    assert not [line for line in home.lines if KEY in line]


def test_one_that_is_still_being_loaded_at_the_end_is_ended_and_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_module, "LOADING", 0.2)
    told = home.write(hangs=True)

    async def scenario() -> None:
        system = home.system()
        system.begin()
        await until(lambda: told("authenticate"))
        await system.close()

    asyncio.run(scenario())
    assert not told("shutdown")  # it is not asked, for it does not answer
    assert "[PluginHandler] ✗ watcher had not come up when the session ended\n" in home.lines
    with pytest.raises(ProcessLookupError):
        os.kill(told()[0]["pid"], 0)


def test_the_configuration_can_leave_one_out(home: Home) -> None:
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        assert system.statuses[0].state is State.DISABLED

    run(home.system(KmConfig(plugins={"watcher": PluginConfig(enabled=False)})), scenario)
    assert not told()


def test_messages_from_before_it_was_loaded_reach_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = home.write()

    monkeypatch.setattr(system_module, "LOADING", 40.0)

    async def scenario() -> None:
        system = home.system()
        system.begin()
        message(system, "early")
        await system.close()

    asyncio.run(scenario())
    assert [one["data"] for one in told("message")] == ["early"]
