"""What a plugin is yet to be told."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.runtimes.process import KmPlugin

    Call = Callable[[KmPlugin], Awaitable[None]]

ITEMS, BYTES = 4096, 64 << 20


class Backlog:
    """A bounded queue: what is too much drops the oldest, because nobody waits for a plugin."""

    def __init__(self, items: int = ITEMS, size: int = BYTES) -> None:
        self._most, self._largest = items, size
        self._calls: deque[tuple[int, Call]] = deque()
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._calls)

    def put(self, call: Call, size: int = 0) -> None:
        """Add a call that holds `size` bytes."""
        self._calls.append((size, call))
        self._bytes += size
        while len(self._calls) > self._most or (self._bytes > self._largest and len(self) > 1):
            self.take()
            self.dropped += 1

    def take(self) -> Call:
        """Return the oldest. Raises `IndexError`."""
        size, call = self._calls.popleft()
        self._bytes -= size
        return call

    def clear(self) -> int:
        """Forget all; return how many were never taken, those that were dropped before too."""
        count, self.dropped = len(self._calls) + self.dropped, 0
        self._calls.clear()
        self._bytes = 0
        return count
