"""A generation: one loaded instance of (artifact digest, config version), and who holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel._errors import Unavailable
from plugbay.kernel._vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.kernel._breaker import CircuitBreaker
    from plugbay.kernel._ports import Clock, Instance
    from plugbay.sdk import Manifest

    Load = Callable[[int], Awaitable[Instance]]

CANCEL_GRACE = 5.0
"""Seconds that cancelled work gets to unwind before the generation is stopped under it."""


@dataclass(slots=True)
class Tally:
    """Counts of the requests that went through a holder. `dropped` must come out as zero.

    A request that `entered` ends in exactly one way: `finished` (the response's last byte was
    handed over, or the client went away), or `cancelled` at the drain deadline. What entered,
    did not end and is not in flight was dropped.
    """

    entered: int = 0
    finished: int = 0
    cancelled: int = 0
    refused: int = 0

    def dropped(self, in_flight: int) -> int:
        """Requests that were lost: refused while parked, or unaccounted for."""
        return self.refused + self.entered - self.finished - self.cancelled - in_flight


class Holder(Protocol):
    """What holds generations on behalf of requests: a route's chain, a mounted app, a session.

    One holder leases all the generations of its chain once, and counts the requests inside, so
    that a lease costs a request one counter and not one per plugin. A holder calls
    `Generation.release` when it was retired and its last request has ended, and
    `Generation.settled` when its last request has ended while it is parked.
    """

    @property
    def in_flight(self) -> int:
        """Requests inside; those that wait while it is parked are not."""
        ...

    @property
    def tally(self) -> Tally: ...
    def park(self) -> None:
        """Keep new requests waiting, in a bounded queue. Calls nest with `unpark`."""
        ...

    def unpark(self) -> None:
        """Let the waiting requests go on, through whatever chain is current now.

        It may come after the holder has released the generation, and must work then too.
        """
        ...

    def cancel(self) -> int:
        """Cancel the requests inside and return how many; they are gone soon after.

        Each is counted as cancelled when it is gone, in the same step as it leaves `in_flight`.
        """
        ...


@dataclass(slots=True, eq=False)
class Generation:
    """One generation of a slot. `number` grows by one with each; it is never used again."""

    plugin: str
    number: int
    digest: str
    config_version: int
    manifest: Manifest
    load: Load
    """Loads a fresh instance: used for the first start, and to come back after a failed
    exclusive swap."""
    instance: Instance | None = None
    breaker: CircuitBreaker | None = None
    vitals: Vitals = field(default_factory=Vitals)
    holders: set[Holder] = field(default_factory=set["Holder"])
    past: Tally = field(default_factory=Tally)
    """The sum of the tallies of the holders that have released this generation."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _parked: list[Holder] | None = None

    def hook_failed(self, error: BaseException) -> tuple[str, BaseException | None]:
        """Count a failed call of a hook; return how it went, in words, and what shows where.

        That a hook was late shows nothing of the kind: it was cancelled wherever it was. Nor does
        it that something which the gateway lends it is not there now.
        """
        self.vitals.failed(error)  # first: the breaker judges by what went well before
        if self.breaker is not None:
            self.breaker.failure()
        if isinstance(error, Unavailable):
            return f"failed ({error.detail})", None
        return ("was late", None) if isinstance(error, TimeoutError) else ("failed", error)

    @property
    def in_flight(self) -> int:
        """Requests inside this generation now."""
        return sum(holder.in_flight for holder in self.holders)

    @property
    def cancelled(self) -> int:
        """Requests cancelled at a drain deadline so far."""
        return self.past.cancelled + sum(holder.tally.cancelled for holder in self.holders)

    @property
    def dropped(self) -> int:
        """Requests that were lost; zero, or a defect of Plugbay."""
        return self.past.dropped(0) + sum(h.tally.dropped(h.in_flight) for h in self.holders)

    @property
    def parked(self) -> bool:
        """Whether requests wait before it."""
        return self._parked is not None

    def lease(self, holder: Holder) -> None:
        """Keep this generation running until `release`. A parked one parks the holder."""
        if holder not in self.holders:
            self.holders.add(holder)
            if self._parked is not None:
                self._parked.append(holder)
                holder.park()

    def release(self, holder: Holder) -> None:
        """End a lease: the holder was retired and is empty."""
        if holder not in self.holders:
            return
        self.holders.remove(holder)
        tally = holder.tally
        self.past.entered += tally.entered
        self.past.finished += tally.finished
        self.past.cancelled += tally.cancelled
        self.past.refused += tally.refused
        self._changed.set()

    def settled(self) -> None:
        """Look again whether anything is in flight."""
        self._changed.set()

    def park(self) -> None:
        """Make the requests that come now wait, at every holder."""
        if self._parked is None:
            self._parked = list(self.holders)
            for holder in self._parked:
                holder.park()

    def unpark(self) -> None:
        """Let them go on; also those at holders that have released this generation since."""
        parked, self._parked = self._parked, None
        # The newest first: what waits before an older one may have to pass a newer one.
        for holder in reversed(parked or ()):
            holder.unpark()

    async def drained(self, seconds: float, clock: Clock, *, cancel: bool = True) -> float:
        """Wait until nothing is in flight; cancel what is left after `seconds`.

        Returns how long it took, in seconds. Nothing polls: holders wake the waiter.
        """
        began = clock.monotonic()
        if not await self._idle(seconds) and cancel:
            for holder in tuple(self.holders):
                holder.cancel()
            await self._idle(CANCEL_GRACE)
        return clock.monotonic() - began

    async def _idle(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self.in_flight:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
