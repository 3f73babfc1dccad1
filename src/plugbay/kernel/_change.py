"""Prepared changes of a slot: enable, swap (overlapping or exclusive) and disable."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from plugbay.kernel._errors import Conflict
from plugbay.kernel._guard import to_the_end
from plugbay.kernel._state import SlotState

if TYPE_CHECKING:
    from plugbay.kernel._generation import Generation
    from plugbay.kernel._lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Drained:
    """How an old generation went: figures for the receipt.

    `problems` says what went wrong on the way: `stop` raised or was late, or requests did not
    end although they were cancelled.
    """

    plugin: str
    generation: int
    in_flight: int
    drained_ms: float
    cancelled: int
    dropped: int
    problems: tuple[str, ...] = ()


class Place(Protocol):
    """What a change needs of its slot."""

    plugin: str
    state: SlotState
    current: Generation | None
    reason: str
    draining: list[Generation]
    lifecycle: Lifecycle

    def to(self, new: SlotState) -> None: ...
    def activate(self) -> None: ...
    def return_to(self, origin: SlotState) -> None: ...
    def end_change(self) -> None: ...
    async def come_back(self, old: Generation, state: bytes | None) -> None: ...
    async def retire(self, old: Generation, in_flight: int, seconds: float) -> Drained: ...


_P = TypeVar("_P", bound=Place)


class Prepared(Generic[_P]):
    """What all changes have in common; enabling is just this."""

    def __init__(
        self, slot: _P, old: Generation | None, fresh: Generation | None, origin: SlotState
    ) -> None:
        self.slot, self.old, self.fresh = slot, old, fresh
        self._origin = origin
        self._fate = ""
        self._in_flight = 0

    def commit(self) -> None:
        """Make the fresh generation current. Raises `Conflict` if it was settled before."""
        self._settle("committed")
        self._cut_over()
        self.slot.activate()
        self.slot.end_change()

    async def abort(self) -> None:
        """Leave everything as it was. Raises `Conflict` if it was settled before."""
        self._settle("aborted")
        await to_the_end(self._undo())

    async def drain(self, seconds: float) -> Drained | None:
        """Stop the old generation when its last request has ended, or at the deadline.

        None if there is none, or the change was aborted. If it is cancelled, the old generation
        is stopped at once. Raises `Conflict` before the change is settled, or the second time.
        """
        if self._fate not in ("committed", "aborted"):
            raise Conflict(f"{self.slot.plugin}: there is nothing to drain {self._fate}".rstrip())
        if self._fate == "committed":
            self._fate = "any more"
            if self.old is not None:
                return await self._drain(self.old, seconds)
        return None

    async def _drain(self, old: Generation, seconds: float) -> Drained:
        return await self.slot.retire(old, self._in_flight, seconds)

    async def _undo(self) -> None:
        try:
            if self.fresh is not None:
                await self.slot.lifecycle.put_down(self.fresh)
        finally:
            self.slot.return_to(self._origin)
            self.slot.end_change()

    def _settle(self, fate: str) -> None:
        if self._fate:
            raise Conflict(f"{self.slot.plugin}: this change was settled before")
        self._fate = fate

    def _cut_over(self) -> None:
        slot = self.slot
        if slot.current is not self.old:
            self.old = None  # it failed meanwhile, and `fail` sees to its end
        slot.current, slot.reason = self.fresh, ""
        if self.old is not None:
            self._in_flight = self.old.in_flight
            slot.draining.append(self.old)


class ExclusiveSwap(Prepared[_P]):
    """The old generation is stopped already; the fresh one runs and requests are parked."""

    def __init__(
        self, slot: _P, old: Generation, fresh: Generation, state: bytes | None, parked: Parked
    ) -> None:
        super().__init__(slot, old, fresh, SlotState.ACTIVE)
        self._old, self._state, self._parked = old, state, parked

    def commit(self) -> None:
        """Make the fresh generation current, and let the parked requests go on right after."""
        super().commit()
        asyncio.get_running_loop().call_soon(self._old.unpark)

    async def _undo(self) -> None:
        try:
            if self.fresh is not None:
                await self.slot.lifecycle.put_down(self.fresh)
            await self.slot.come_back(self._old, self._state)
        finally:
            self.slot.return_to(self._origin)
            self.slot.end_change()
            self._old.unpark()

    async def _drain(self, old: Generation, seconds: float) -> Drained:
        drained = await super()._drain(old, seconds)
        return Drained(
            drained.plugin,
            drained.generation,
            self._parked.in_flight,
            self._parked.seconds * 1000,
            drained.cancelled,
            drained.dropped,
            (*self._parked.problems, *drained.problems),
        )


@dataclass(frozen=True, slots=True)
class Parked:
    """What happened while an exclusive swap was prepared: it drained the old one early."""

    in_flight: int
    seconds: float
    problems: tuple[str, ...]


class Disable(Prepared[_P]):
    """Nothing takes over. The slot is disabled when the old generation has drained.

    A slot where nothing runs is disabled by the commit; one that is disabled stays so.
    """

    def commit(self) -> None:
        """Take the plugin out of service."""
        self._settle("committed")
        self.old = self.slot.current
        if self.old is not None:
            self.slot.to(SlotState.DRAINING)
        elif self.slot.state is SlotState.FAILED:
            self.slot.to(SlotState.DISABLED)
        self._cut_over()
        if self.old is None:
            self.slot.end_change()

    async def _undo(self) -> None:
        self.slot.end_change()

    async def _drain(self, old: Generation, seconds: float) -> Drained:
        try:
            return await super()._drain(old, seconds)
        finally:
            self.slot.to(SlotState.DISABLED)
            self.slot.end_change()
