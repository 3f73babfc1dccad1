"""Bodies between a sender that pushes and a reader that pulls."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from plugbay.sdk import BodyTooLarge
from plugbay.storage import LARGE, Spill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugbay.gateway.message._wire import Fields

HIGH = 256 * 1024
LOW = 64 * 1024


class Sink(Protocol):
    """Takes a request's body as it arrives, and makes the response."""

    def data(self, data: bytes) -> None:
        """Take bytes of the body."""
        ...

    def outlet(self, size: int) -> asyncio.Transport | None:
        """Return where so many of them are to be written at once; None if `data` takes them."""
        ...

    def end(self, trailers: Fields) -> None:
        """The body is complete."""
        ...

    def cancel(self) -> None:
        """Nobody waits for the response any more: stop, at once and for good."""
        ...

    def pause(self) -> None:
        """The client does not keep up."""
        ...

    def resume(self) -> None:
        """The client has caught up."""
        ...


class BodyBroken(Exception):
    """The sender went away before the body was complete."""


class BodyQueue:
    """Buffers what is pushed, tells the sender to pause, and is an async iterator of chunks."""

    __slots__ = (
        "_most",
        "_pause",
        "_paused",
        "_resume",
        "_slices",
        "_waiter",
        "broken",
        "chunks",
        "done",
        "size",
        "spill",
        "trailers",
    )

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.done = False
        self.broken = False
        self.trailers: Fields = []
        self.spill: Spill | None = None
        """What stands before `chunks`, of a large body that somebody reads whole."""
        self._slices: Iterator[bytes] | None = None
        self._most = HIGH
        self._pause, self._resume = pause, resume
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        """Take bytes from the sender."""
        self.chunks.append(data)
        self.size += len(data)
        if self.size > LARGE and self._most > LARGE:
            self._set_aside()
        if self.size > self._most and not self._paused:
            self._paused = True
            self._pause()
        self._wake()

    def end(self, trailers: Fields) -> None:
        """The sender is done."""
        self.done, self.trailers = True, trailers
        self._wake()

    def fail(self) -> None:
        """The sender went away: readers get `BodyBroken` after what is there."""
        self.done = self.broken = True
        self._wake()

    def close(self) -> None:
        """Nobody reads it any more: give up what is there, at once, and a file above all."""
        if self.spill is not None:
            self.spill.close()
        self.spill = self._slices = None
        self.chunks.clear()
        self.size = 0

    def pour(self, sink: Sink) -> None:
        """Hand everything on to `sink`, which takes the body from now on."""
        while (data := self._next()) is not None:
            sink.data(data)
        self.size = 0
        self._unpause()
        if self.done and not self.broken:
            sink.end(self.trailers)

    async def read(self, limit: int) -> bytes:
        """Wait for the whole body, keep it, and return it. Raises `BodyTooLarge`, `BodyBroken`.

        A large one is kept in a file: what is returned is in memory only while the caller needs
        it.
        """
        self._most = max(HIGH, limit)
        try:
            while not self.done and self.size <= limit:
                self._unpause()
                await self._more()
        finally:  # the reader may have been late: others take it as it comes
            self._most = HIGH
        if self.size > limit:
            raise BodyTooLarge(limit)
        if self.broken:
            raise BodyBroken("the body ended before it was complete")
        if self.spill is not None:
            return self.spill.read()
        whole = b"".join(self.chunks)
        self.chunks = deque((whole,) if whole else ())
        return whole

    def __aiter__(self) -> BodyQueue:
        return self

    async def __anext__(self) -> bytes:
        while (data := self._next()) is None:
            if self.broken:
                raise BodyBroken("the body ended before it was complete")
            if self.done:
                raise StopAsyncIteration
            await self._more()
        self.size -= len(data)
        if self.size < LOW:
            self._unpause()
        return data

    def _next(self) -> bytes | None:
        """Take what is first; None if there is nothing."""
        if self.spill is not None:
            if self._slices is None:
                self._slices = self.spill.slices()
            data = next(self._slices, None)
            if data is not None:
                return data
            self.spill = self._slices = None
        return self.chunks.popleft() if self.chunks else None

    def _set_aside(self) -> None:
        """Somebody reads all of it: it need not be in memory before it is there."""
        if self.spill is None:
            self.spill = Spill()
        while self.chunks:
            self.spill.write(self.chunks.popleft())

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _unpause(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Gate:
    """Open while a writer may write; whoever must wait awaits it."""

    __slots__ = ("_waiter", "open")

    def __init__(self) -> None:
        self.open = True
        self._waiter: asyncio.Future[None] | None = None

    def shut(self) -> None:
        """Make writers wait."""
        self.open = False

    def lift(self) -> None:
        """Let them go on."""
        self.open = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return when it is open."""
        while not self.open:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
