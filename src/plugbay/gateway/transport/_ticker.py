"""One timer for all deadlines: a timer for each request would cost more than the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

NEVER = float("inf")


class Ticker:
    """A coarse clock that calls `sweep(now)` every `interval` seconds.

    A deadline is a number that its owner compares with `now` in the sweep; to set one costs an
    addition. It passes up to one interval late, never early.
    """

    __slots__ = ("_handle", "_loop", "_sweep", "interval", "now")

    def __init__(self, interval: float, sweep: Callable[[float], None]) -> None:
        self.interval = interval
        self.now = 0.0
        self._sweep = sweep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to tick; to start twice is to start once."""
        if self._handle is None:
            self._loop = loop
            self.now = loop.time()
            self._handle = loop.call_later(self.interval, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def after(self, seconds: float) -> float:
        """Return the deadline `seconds` from now; 0 seconds means never."""
        return self.now + seconds + self.interval if seconds else NEVER

    def span(self, seconds: float) -> float:
        """Return what to add to `now` for that deadline, where it is set for every request."""
        return seconds + self.interval if seconds else NEVER

    def _tick(self) -> None:
        if self._loop is not None:
            self.now = self._loop.time()
            self._handle = self._loop.call_later(self.interval, self._tick)
            self._sweep(self.now)
