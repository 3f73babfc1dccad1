"""A slot: the place where a plugin runs, whose generations come and go.

A change has two phases, so that many workers can change together: `prepare` starts the fresh
generation beside the current one and proves it healthy, `commit` makes it current (a pointer
swap, no await), or `abort` leaves everything as it was. After a commit the old generation
`drain`s: it is stopped when the last request inside has ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel._errors import Conflict, PluginError, RestoreFailed, StartFailed, Unhealthy
from plugbay.kernel._state import SLOT_TRANSITIONS, SlotState, move

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from plugbay.kernel._generation import Generation
    from plugbay.kernel._ports import Clock, Instance

    _T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Drained:
    """How an old generation went: figures for the receipt."""

    plugin: str
    generation: int
    in_flight: int
    drained_ms: float
    cancelled: int
    dropped: int


class Change(Protocol):
    """A prepared change of one slot: exactly one of `commit` and `abort` is called, once."""

    @property
    def slot(self) -> Slot: ...
    @property
    def fresh(self) -> Generation | None: ...
    def commit(self) -> None: ...
    async def abort(self) -> None: ...
    async def drain(self, seconds: float) -> Drained | None: ...


class Slot:
    """One plugin's place. `current` serves; `state` obeys the one transition table."""

    def __init__(self, plugin: str, clock: Clock, *, start_seconds: float = 10.0) -> None:
        self.plugin = plugin
        self.clock = clock
        self.state = SlotState.DISABLED
        self.current: Generation | None = None
        self.reason = ""
        """Why the slot failed, or why the last change was not taken."""
        self.draining: list[Generation] = []
        self._start_seconds = start_seconds
        self._changing = False

    def __repr__(self) -> str:
        number = self.current.number if self.current else 0
        return f"<Slot {self.plugin} [{self.state}, generation {number}]>"

    def to(self, new: SlotState) -> None:
        """Move to `new`. Raises `IllegalTransition`."""
        self.state = move(f"plugin {self.plugin}", SLOT_TRANSITIONS, self.state, new)

    async def prepare_enable(self, fresh: Generation) -> Change:
        """Start `fresh` where nothing runs. Raises `PluginError`; the slot is then failed."""
        self._begin()
        try:
            self.to(SlotState.LOADING)
            try:
                await self._bring_up(fresh, state=None)
            except PluginError as error:
                self._fail(error)
                raise
        except BaseException:
            if self.state is SlotState.LOADING:
                self.to(SlotState.DISABLED)
            self._changing = False
            raise
        return _Enable(self, fresh)

    async def prepare_swap(self, fresh: Generation, *, drain: float = 60.0) -> Change:
        """Start `fresh` beside (or, if exclusive, instead of) the current generation.

        Raises `PluginError`; the current generation serves on, which is the rollback.
        """
        old = self.current
        if old is None:
            raise Conflict(f"{self.plugin} is {self.state}: enable it, there is nothing to swap")
        self._begin()
        try:
            self.to(SlotState.RELOADING)
            if fresh.manifest.reload == "exclusive":
                return await self._prepare_exclusive(old, fresh, drain)
            return await self._prepare_overlap(old, fresh)
        except BaseException as error:
            if self.state is SlotState.RELOADING:
                self.to(SlotState.ACTIVE)
            self.reason = str(error)
            self._changing = False
            raise

    async def prepare_disable(self) -> Change:
        """Get ready to stop. A failed slot has nothing to drain and becomes disabled."""
        self._begin()
        return _Disable(self, self.current)

    async def fail(self, reason: str) -> None:
        """Take a crashed or unhealthy generation out of service."""
        self.reason = reason
        self.to(SlotState.FAILED)
        old, self.current = self.current, None
        if old is not None:
            await _put_down(old)

    async def _prepare_overlap(self, old: Generation, fresh: Generation) -> Change:
        await self._bring_up(fresh, state=await self._snapshot(old))
        return _Swap(self, old, fresh)

    async def _prepare_exclusive(self, old: Generation, fresh: Generation, drain: float) -> Change:
        holders = tuple(old.holders)
        for holder in holders:
            holder.park()
        in_flight = old.in_flight
        try:
            seconds = await old.drained(drain, self.clock)
            state = await self._snapshot(old)
            await _put_down(old)
            try:
                await self._bring_up(fresh, state=state)
            except PluginError:
                await self.come_back(old, state)
                raise
        except BaseException:
            for holder in holders:
                holder.unpark()
            raise
        return _ExclusiveSwap(self, old, fresh, state, in_flight, seconds)

    async def come_back(self, old: Generation, state: bytes | None) -> None:
        """Start the old artifact again after the fresh one failed; for changes only."""
        try:
            await self._bring_up(old, state=state)
        except PluginError as error:
            self.current = None
            self._fail(error)

    async def _bring_up(self, fresh: Generation, *, state: bytes | None) -> None:
        fresh.instance = instance = await fresh.load(fresh.number)
        try:
            await self._within(instance.start(), StartFailed, "start", fresh)
            if state is not None:
                await self._within(instance.restore(state), RestoreFailed, "restore", fresh)
            await self._within(instance.health(), Unhealthy, "health", fresh)
        except BaseException:
            await _put_down(fresh)
            raise

    async def _snapshot(self, old: Generation) -> bytes | None:
        return await self._within(_of(old).snapshot(), RestoreFailed, "snapshot", old)

    async def _within(
        self, work: Awaitable[_T], error: type[PluginError], step: str, who: Generation
    ) -> _T:
        """Run a step of the plugin's own code: what it raises is the plugin's error."""
        try:
            async with asyncio.timeout(self._start_seconds):
                return await work
        except TimeoutError:
            detail = f"{step} took longer than {self._start_seconds:g} s"
            raise error(self.plugin, detail, generation=who.number) from None
        except PluginError:
            raise
        except Exception as cause:
            detail = f"{step} raised {type(cause).__name__}: {cause}"
            raise error(self.plugin, detail, generation=who.number) from cause

    def _begin(self) -> None:
        if self._changing:
            raise Conflict(f"{self.plugin} is being changed already; wait for that operation")
        self._changing = True

    def _fail(self, error: PluginError) -> None:
        self.reason = error.reason
        self.to(SlotState.FAILED)

    def end_change(self) -> None:
        """Let the next change begin. For changes only."""
        self._changing = False


class _Base:
    def __init__(self, slot: Slot, old: Generation | None, fresh: Generation | None) -> None:
        self.slot, self.old, self.fresh = slot, old, fresh
        self._in_flight = 0

    def _cut_over(self) -> None:
        slot, old = self.slot, self.old
        slot.current, slot.reason = self.fresh, ""
        if old is not None:
            self._in_flight = old.in_flight
            slot.draining.append(old)

    async def drain(self, seconds: float) -> Drained | None:
        """Stop the old generation when its last request has ended, or at the deadline."""
        old = self.old
        if old is None:
            return None
        try:
            took = await old.drained(seconds, self.slot.clock)
            await _put_down(old)
        finally:
            self.slot.draining.remove(old)
        return Drained(
            old.plugin, old.number, self._in_flight, took * 1000, old.cancelled, old.dropped
        )


class _Enable(_Base):
    def __init__(self, slot: Slot, fresh: Generation) -> None:
        super().__init__(slot, None, fresh)

    def commit(self) -> None:
        self._cut_over()
        self.slot.to(SlotState.ACTIVE)
        self.slot.end_change()

    async def abort(self) -> None:
        if self.fresh is not None:
            await _put_down(self.fresh)
        self.slot.to(SlotState.DISABLED)
        self.slot.end_change()


class _Swap(_Base):
    def commit(self) -> None:
        self._cut_over()
        self.slot.to(SlotState.ACTIVE)
        self.slot.end_change()

    async def abort(self) -> None:
        if self.fresh is not None:
            await _put_down(self.fresh)
        self.slot.to(SlotState.ACTIVE)
        self.slot.end_change()


class _ExclusiveSwap(_Base):
    """The old generation is stopped already; the fresh one runs and requests are parked."""

    def __init__(
        self,
        slot: Slot,
        old: Generation,
        fresh: Generation,
        state: bytes | None,
        in_flight: int,
        seconds: float,
    ) -> None:
        super().__init__(slot, old, fresh)
        self._state, self._parked_in_flight, self._seconds = state, in_flight, seconds

    def commit(self) -> None:
        self._cut_over()
        self.slot.to(SlotState.ACTIVE)
        self.slot.end_change()
        self._unpark()

    async def abort(self) -> None:
        if self.fresh is not None:
            await _put_down(self.fresh)
        if self.old is not None:
            await self.slot.come_back(self.old, self._state)
        if self.slot.state is SlotState.RELOADING:
            self.slot.to(SlotState.ACTIVE)
        self.slot.end_change()
        self._unpark()

    async def drain(self, seconds: float) -> Drained | None:
        drained = await super().drain(seconds)
        if drained is None:
            return None
        return Drained(
            drained.plugin,
            drained.generation,
            self._parked_in_flight,
            self._seconds * 1000,
            drained.cancelled,
            drained.dropped,
        )

    def _unpark(self) -> None:
        if self.old is not None:
            for holder in tuple(self.old.holders):
                holder.unpark()


class _Disable(_Base):
    def __init__(self, slot: Slot, old: Generation | None) -> None:
        super().__init__(slot, old, None)

    def commit(self) -> None:
        if self.slot.state is SlotState.ACTIVE:
            self.slot.to(SlotState.DRAINING)
        self._cut_over()

    async def abort(self) -> None:
        self.slot.end_change()

    async def drain(self, seconds: float) -> Drained | None:
        try:
            return await super().drain(seconds)
        finally:
            self.slot.to(SlotState.DISABLED)
            self.slot.end_change()


def _of(generation: Generation) -> Instance:
    if generation.instance is None:
        raise RuntimeError(f"{generation.plugin}: generation {generation.number} is not running")
    return generation.instance


async def _put_down(generation: Generation) -> None:
    """Stop the instance, once; a plugin that raises in `stop` cannot stop us."""
    instance, generation.instance = generation.instance, None
    if instance is not None:
        await instance.stop()
