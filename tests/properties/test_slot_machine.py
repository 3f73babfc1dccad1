"""Everything that can happen to a slot, in any order Hypothesis can think of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plugbay.kernel import Conflict, PluginError, SlotState
from properties._virtual import LoopClock, VirtualLoop
from properties._world import FakeHolder, Request, World

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from plugbay.kernel import Change, Generation

FAULTS = st.just(dict[str, str]()) | st.dictionaries(
    st.sampled_from(["load", "start", "restore", "health", "snapshot", "stop"]),
    st.sampled_from(["raise", "exit", "cancel", "slow", "late", "stubborn"]),
    max_size=2,
)
RELOAD = st.sampled_from(["overlap", "exclusive"])
AGAIN = st.sampled_from([None, None, "raise", "slow", "late"])
DRAIN = st.sampled_from([0.0, 2.0, 60.0])
PATIENCE = st.sampled_from([60.0, 60.0, 4.0, None])
"""How long a change is left alone after it began; None: only until it first waits."""


class SlotMachine(RuleBasedStateMachine):
    """One slot in a world of its own, with virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = World(self.loop, LoopClock(self.loop))
        self.slot = self.world.slot
        self.preparing: asyncio.Task[Change] | None = None
        self.change: Change | None = None
        self.next: FakeHolder | None = None
        self.fresh: Generation | None = None
        self.before: bytes | None = None
        self.background: set[asyncio.Task[Any]] = set()
        self.highest = 0

    @initialize(active=st.sampled_from([True, True, False]))
    def begin(self, active: bool) -> None:
        if active:
            self.prepare("overlap", {}, None, 0.0, 4.0)
            self.commit(0.0)

    # Requests

    @rule()
    def enter(self) -> None:
        self.world.request()

    @precondition(lambda self: any(r.holder and not r.fate for r in self.world.requests))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        inside = [r for r in self.world.requests if r.holder and not r.fate]
        request = data.draw(st.sampled_from(inside))
        assert request.holder is not None
        self.step(self._leave(request))

    # Changes

    @precondition(lambda self: not self.slot.changing)
    @rule(reload=RELOAD, faults=FAULTS, again=AGAIN, drain=DRAIN, patience=PATIENCE)
    def prepare(
        self,
        reload: str,
        faults: dict[str, str],
        again: str | None,
        drain: float,
        patience: float | None,
    ) -> None:
        self.fresh = fresh = self.world.generation(reload, faults, again)
        if self.slot.current is None:
            work = self.slot.prepare_enable(fresh)
        else:
            work = self.slot.prepare_swap(fresh, drain=drain)
        self.preparing = self.loop.create_task(work)
        self.tick(1)
        if patience is not None:
            self.step(asyncio.sleep(patience))

    @precondition(lambda self: not self.slot.changing)
    @rule(
        reload=RELOAD,
        faults=FAULTS,
        again=AGAIN,
        inside=st.integers(0, 2),
        waiting=st.integers(0, 4),
        drain=DRAIN,
    )
    def change_at_once(
        self,
        reload: str,
        faults: dict[str, str],
        again: str | None,
        inside: int,
        waiting: int,
        drain: float,
    ) -> None:
        """A whole change, as it mostly goes; the rules below take it to pieces."""
        for _ in range(inside):
            self.enter()
        self.prepare(reload, faults, again, drain, None)
        for _ in range(waiting):
            self.enter()
        self.wait(200.0)
        if self.change is not None:
            self.commit(drain)

    @precondition(lambda self: not self.slot.changing and self.slot.state != "disabled")
    @rule()
    def prepare_disable(self) -> None:
        self.fresh = None
        self.preparing = self.loop.create_task(self.slot.prepare_disable())
        self.tick(2)

    @precondition(lambda self: self.preparing is not None)
    @rule(times=st.integers(1, 2))
    def cancel_prepare(self, times: int) -> None:
        assert self.preparing is not None
        for _ in range(times):
            if self.preparing is not None:
                self.preparing.cancel()
                self.tick(1)

    @precondition(lambda self: self.slot.changing)
    @rule()
    def second_change_is_refused(self) -> None:
        generation = self.world.generation("overlap", {}, None)
        operation = self.slot.prepare_swap if self.slot.current else self.slot.prepare_enable
        work = operation(generation)
        with pytest.raises(Conflict):
            work.send(None)  # at once, before anything else can happen
        work.close()

    @precondition(lambda self: self.change is not None)
    @rule(drain=DRAIN)
    def commit(self, drain: float) -> None:
        self.step(self._commit(drain))

    async def _commit(self, drain: float) -> None:
        change, table = self.change, self.next
        assert change is not None
        assert table is not None
        if change.fresh is not None:
            assert change.fresh.number > self.highest, "a generation's number was used before"
            self.highest = change.fresh.number
        change.commit()
        self.world.install(table)
        assert self.slot.current is change.fresh
        self.change = self.next = None
        self.spawn(change.drain(drain))
        await asyncio.sleep(0)

    @precondition(lambda self: self.change is not None)
    @rule()
    def abort(self) -> None:
        change, table = self.change, self.next
        assert change is not None
        assert table is not None
        self.change = self.next = None
        table.retire()
        self.spawn(change.abort())
        self.tick(1)

    # Time and trouble

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0, 2000.0]))
    def wait(self, seconds: float) -> None:
        self.step(asyncio.sleep(seconds))

    @rule(turns=st.integers(1, 6))
    def tick(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.step(turn())

    @precondition(lambda self: self.slot.current is not None)
    @rule()
    def fail(self) -> None:
        current = self.slot.current
        assert current is not None
        if current.instance is not None:
            self.world.excused.add(current.number)
        self.spawn(self.slot.fail("it crashed", generation=current))
        self.tick(1)

    @precondition(lambda self: self.background)
    @rule(data=st.data())
    def cancel_background(self, data: st.DataObject) -> None:
        tasks = sorted(self.background, key=lambda task: task.get_name())
        self.world.excused.update(generation.number for generation in self.slot.draining)
        data.draw(st.sampled_from(tasks)).cancel()
        self.tick(1)

    # What must hold

    @invariant()
    def always(self) -> None:
        self.world.check()
        if not self.slot.changing and not self.background:
            self.world.check_at_rest()

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self._end())
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.step(asyncio.sleep(100))
            self.loop.close()

    async def _end(self) -> None:
        """Bring everything to rest: then nothing runs, and nothing was lost."""
        for request in self.world.requests:
            if request.holder is not None and not request.fate:
                request.holder.finish(request)
        await asyncio.sleep(3 * 2000)
        self.notice()
        if self.change is not None:
            self.abort_at_the_end()
        await asyncio.sleep(2000)
        disable = await self.slot.prepare_disable()
        disable.commit()
        self.world.install(FakeHolder(self.world, None))
        drained = await disable.drain(60)
        await asyncio.sleep(2000)
        assert drained is None or drained.dropped == self.refused(drained.generation)
        assert self.slot.state is SlotState.DISABLED
        assert not self.slot.draining
        assert not self.slot.changing
        assert all(instance.stops == 1 for instance in self.world.instances)
        for request in self.world.requests:
            if request.holder is not None and not request.fate:
                request.holder.finish(request)
        assert all(request.fate for request in self.world.requests), "a request was lost"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        self.world.check()

    def abort_at_the_end(self) -> None:
        assert self.change is not None
        assert self.next is not None
        self.next.retire()
        self.background.add(self.loop.create_task(self.change.abort()))
        self.change = None

    # Means

    def step(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self.loop.run_until_complete(work)
        finally:
            self.notice()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self.background.add(self.loop.create_task(work, name=f"{len(self.background):04}"))

    def notice(self) -> None:
        """See what has ended."""
        for task in [task for task in self.background if task.done()]:
            self.background.discard(task)
            if not task.cancelled():
                task.result()
        if self.preparing is not None and self.preparing.done():
            task, self.preparing = self.preparing, None
            if task.cancelled():
                return
            try:
                self.change = task.result()
            except PluginError:
                return
            self.next = self.world.build(self.fresh) if self.fresh else FakeHolder(self.world, None)

    def refused(self, number: int) -> int:
        generation = next(g for g in self.world.generations if g.number == number)
        return generation.past.refused + sum(h.tally.refused for h in generation.holders)

    async def _leave(self, request: Request) -> None:
        if request.holder is not None and not request.fate:  # it may just have been cancelled
            request.holder.finish(request)


SlotMachine.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestSlotMachine = pytest.mark.timeout(300)(SlotMachine.TestCase)
