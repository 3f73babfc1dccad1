"""Writes log lines in a thread: a full pipe or a slow disk must not hold up the event loop."""

from __future__ import annotations

import os
import threading
from collections import deque

MAX_LINES = 10_000
_BATCH = 256


class LineWriter:
    """Hands lines to a file descriptor, in order.

    At most `limit` lines wait; further ones are dropped and counted, and a line that says how many
    is written once there is room. `write` may be called from any thread and never waits.
    """

    def __init__(self, fd: int, *, limit: int = MAX_LINES) -> None:
        self._fd = fd
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._unreported = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="plugbay-log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line, which ends in a line feed."""
        with self._ready:
            if self._closing or len(self._lines) >= self._limit:
                self.dropped += 1
                self._unreported += 1
                return
            self._lines.append(line)
            self._ready.notify()

    def close(self, seconds: float = 2.0) -> None:
        """Write what is queued, for at most `seconds`; lines after that are dropped."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while batch := self._next():
            try:
                _write_all(self._fd, batch)
            except OSError:
                with self._ready:  # nobody reads any more
                    self.dropped += batch.count(b"\n")

    def _next(self) -> bytes:
        """Wait for lines and return some of them; nothing when closed and empty."""
        with self._ready:
            while not self._lines and not self._closing:
                self._ready.wait()
            count = min(_BATCH, len(self._lines))
            batch = b"".join([self._lines.popleft() for _ in range(count)])
            if self._unreported and batch:
                batch += b'{"level":"warning","message":"log lines dropped","count":%d}\n' % (
                    self._unreported
                )
                self._unreported = 0
            return batch


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
