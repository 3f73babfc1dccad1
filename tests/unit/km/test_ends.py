"""The end of a session: what is still told then, for how long, and what is said of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.km import _system as system_module

from .conftest import until
from .test_system import message, run

if TYPE_CHECKING:
    from plugbay.km import KmSystem

    from .conftest import Home


def test_what_is_queued_at_the_end_is_told_while_it_is_taken(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_module, "DRAIN", 40.0)
    monkeypatch.setattr(system_module, "STILL", 20.0)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        for number in range(5):
            message(system, f"slow {number}")

    run(home.system(), scenario)
    assert [one["data"] for one in told("message")] == [f"slow {n}" for n in range(5)]
    assert not [line for line in home.lines if "missed" in line]


@pytest.mark.parametrize("hurried", [False, True])
def test_what_is_not_taken_at_the_end_is_counted_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, hurried: bool
) -> None:
    monkeypatch.setattr(system_module, "HURRIED" if hurried else "STILL", 0.2)
    monkeypatch.setattr(system_module, "STILL" if hurried else "DRAIN", 1000.0)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        message(system, "first")
        message(system, "hang")
        await until(told.beside(".hung").exists)
        for number in range(3):
            message(system, f"{number}")
        system.miss(2)
        if hurried:
            system.hurry()

    run(home.system(), scenario)
    assert [line for line in home.lines if "missed" in line] == [
        "[PluginHandler] watcher has missed 6 of 7 messages and events\n"
    ]


def test_one_that_dies_at_the_end_comes_back_for_what_is_left(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("DRAIN", "STILL"):
        monkeypatch.setattr(system_module, limit, 40.0)
    told = home.write()

    async def scenario(system: KmSystem) -> None:
        message(system, "die")
        message(system, "left")

    run(home.system(), scenario)
    assert [one["data"] for one in told("message")] == ["die", "left"]
