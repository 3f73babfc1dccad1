"""Bodies that a plugin transforms as they stream, with credit in both directions."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Protocol

from plugbay.runtimes.process._codec import WrongAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from plugbay.kernel import HookFailed
    from plugbay.runtimes.process._pb import hook_pb2 as pb


class Sender(Protocol):
    """Sends the frames of calls, and ends them: a stream of calls."""

    def frame(self, id: int = 0) -> pb.Frame: ...
    def end(self, id: int) -> None: ...
    def cancel(self, id: int) -> None: ...


WINDOW = 256 * 1024
"""Bytes that either side may send before it is told that some were used."""


class BodyCall:
    """The sink of a call that transforms a body."""

    def __init__(self, failed: Callable[[pb.Failure], HookFailed]) -> None:
        self.credit = WINDOW
        self._failed = failed
        self._chunks: deque[bytes] = deque()
        self._unused = self._due = 0
        self.ended = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def take(self, what: str, frame: pb.Frame) -> None:
        """Take a chunk, or credit."""
        if what == "chunk":
            self._chunk(frame.chunk)
        elif what == "credit":
            self.credit += frame.credit.bytes
        elif what == "failure":
            self.fail(self._failed(frame.failure))
        else:
            self.fail(WrongAnswer(f"{what} is no answer to a body"))
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Break it off."""
        self._error = self._error or error
        self._changed.set()

    async def receive(self) -> bytes | None:
        """Return the next bytes of what comes out; None at its end."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._chunks.popleft()

    def used(self, size: int) -> int:
        """Note that so many bytes were taken away; return what credit is due for, or 0."""
        self._unused -= size
        self._due += size
        if self._due < WINDOW // 4:
            return 0
        due, self._due = self._due, 0
        return due

    async def room(self) -> int:
        """Wait until there is credit, and return how much."""
        while self.credit <= 0:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        return self.credit

    def _chunk(self, chunk: pb.Chunk) -> None:
        self._unused += len(chunk.data)
        if self._unused > WINDOW:
            self.fail(WrongAnswer("it has sent more of a body than it had credit for"))
            return
        if chunk.data:
            self._chunks.append(chunk.data)
        self.ended = self.ended or chunk.end


class FollowingBody:
    """The body of a plugin's own response, which comes in chunks. Nobody need ever ask for it."""

    def __init__(self, stream: Sender, id: int, body: BodyCall) -> None:
        self._stream, self._id, self._body = stream, id, body
        self._unwanted = weakref.finalize(self, stream.cancel, id)
        self._unwanted.atexit = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield it. Raises `HookFailed` and such."""
        stream, id, body = self._stream, self._id, self._body
        try:
            while (data := await body.receive()) is not None:
                yield data
                if due := body.used(len(data)):
                    stream.frame(id).credit.bytes = due
        finally:
            if body.ended:
                stream.end(id)
            else:
                stream.cancel(id)


async def transform(
    stream: Sender, id: int, body: BodyCall, chunks: AsyncIterator[bytes]
) -> AsyncGenerator[bytes]:
    """Send `chunks` through the plugin and yield what comes out. Raises `HookFailed` and such."""
    sending = asyncio.ensure_future(_send(stream, id, body, chunks))
    sending.add_done_callback(lambda task: _sent(task, body))
    try:
        while (data := await body.receive()) is not None:
            yield data
            if due := body.used(len(data)):
                stream.frame(id).credit.bytes = due
    finally:
        sending.cancel()
        await asyncio.wait((sending,))
        if body.ended:
            stream.end(id)
        else:
            stream.cancel(id)


async def _send(stream: Sender, id: int, body: BodyCall, chunks: AsyncIterator[bytes]) -> None:
    async for data in chunks:
        view = memoryview(data)
        while view:
            room = await body.room()
            part, view = view[:room], view[room:]
            body.credit -= len(part)
            stream.frame(id).chunk.data = bytes(part)
    stream.frame(id).chunk.end = True


def _sent(task: asyncio.Task[None], body: BodyCall) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        body.fail(error if isinstance(error, Exception) else RuntimeError(str(error)))
