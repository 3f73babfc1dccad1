"""What the kernel's tests share: a clock set by hand, and a loop that does not wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from properties._virtual import LoopClock, run_virtual
from properties._world import FakeHolder, World

if TYPE_CHECKING:
    from collections.abc import Callable


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def run() -> Callable[..., object]:
    """Runs a coroutine in virtual time."""
    return run_virtual


class Stage:
    """A world, and the moves that an agent makes in it."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop)
        self.world = World(loop, self.clock)
        self.slot = self.world.slot

    def make(self, reload="overlap", again=None, **faults):
        return self.world.generation(reload, faults, again)

    async def enable(self, **kwargs):
        change = await self.slot.prepare_enable(self.make(**kwargs))
        self.commit(change)
        return change.fresh

    def commit(self, change):
        table = FakeHolder(self.world, change.fresh)
        change.commit()
        self.world.install(table)

    async def swap(self, drain=60.0, **kwargs):
        change = await self.slot.prepare_swap(self.make(**kwargs))
        self.commit(change)
        return await change.drain(drain)

    def enter(self):
        self.world.request()
        return self.world.requests[-1]


@pytest.fixture
def play(run):
    def play(story):
        async def main():
            stage = Stage()
            await story(stage)
            stage.world.check()

        return run(main())

    return play
