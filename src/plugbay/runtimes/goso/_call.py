"""One exchange on its way through a runner: what was sent, what has come, who waits."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from plugbay.runtimes.goso import _frames as wire
from plugbay.runtimes.goso._frames import ProtocolError, read_done, read_head, read_next

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plugbay.runtimes.goso._frames import Done, Frame, Head, Next

    Send = Callable[[bytes], None]


class RunnerGone(Exception):
    """The runner's process has ended, or broke the protocol."""


class PluginFailed(Exception):
    """The plugin returned an error or panicked."""


class Call:
    """One call of the plugin's middleware. Frames come in by `take`; coroutines wait for more."""

    __slots__ = (
        "_chunks",
        "_credit",
        "_eaten",
        "_ended",
        "_failure",
        "_poured_before",
        "_send",
        "_tasks",
        "_waiters",
        "asked",
        "cancelled",
        "done",
        "head",
        "id",
        "next",
        "wants_body",
    )

    def __init__(self, id: int, send: Send) -> None:
        self.id = id
        self._send = send
        self.next: Next | None = None
        self.head: Head | None = None
        self.done: Done | None = None
        self.asked = False
        """The plugin has begun to read the request's body."""
        self.wants_body = False
        """It waits for it before it calls `next`, and nobody has seen to that yet."""
        self.cancelled = False
        self._credit = [0, wire.WINDOW_SIZE]
        """Bytes that may be sent of each stream; the request's is granted by the first read."""
        self._chunks: tuple[deque[bytes], deque[bytes]] = deque(), deque()
        self._ended = [0, 0]
        self._eaten = [0, 0]
        self._poured_before = [False, False]
        self._failure: Exception | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.done is not None or self.cancelled or self._failure is not None

    @property
    def told(self) -> bool:
        """Whether the plugin has made a response, or said what it makes of the one it was given."""
        return self.done is not None or self.head is not None

    # --- what comes

    def take(self, frame: Frame) -> None:
        """Take a frame. Raises `ProtocolError`."""
        kind, payload = frame.kind, frame.payload
        if kind == wire.NEXT:
            self.next = read_next(payload)
        elif kind == wire.HEAD:
            self.head = read_head(payload)
        elif kind == wire.DONE:
            self.done = read_done(payload)
        elif kind == wire.DATA:
            self._data(payload)
        elif kind == wire.WINDOW:
            stream, size = wire.read_window(payload)
            self._credit[stream & wire.STREAM] += size
            if stream == wire.REQUEST_BODY and not self.asked:
                self._begins_to_read()
        else:
            raise ProtocolError(f"a frame of kind {kind} for a call")
        self._wake()

    def _begins_to_read(self) -> None:
        self.asked = True
        if self.next is None:
            self.wants_body = True
        elif not self.next.flags & wire.NEW_BODY:  # too late: it is on its way to the upstream
            self.send(wire.data_frame(self.id, wire.REQUEST_BODY | wire.BROKEN, b""))

    def _data(self, payload: bytes) -> None:
        if not payload:
            raise ProtocolError("a frame of a body without its stream")
        flags, data = payload[0], payload[1:]
        stream = flags & wire.STREAM
        if data:
            self._chunks[stream].append(data)
        self._ended[stream] |= flags & (wire.END | wire.BROKEN)

    def fail(self, error: Exception) -> None:
        """The runner is gone: whoever waits is told so."""
        self._failure = error
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def more(self) -> None:
        """Wait for the next frame. Raises `RunnerGone`."""
        if self._failure is not None:
            raise self._failure
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter
        if self._failure is not None:
            raise self._failure

    # --- what goes

    def pour(self, stream: int, chunks: AsyncIterator[bytes]) -> None:
        """Send a body in the background, no faster than the plugin reads it.

        What the plugin does not want of it is read nevertheless: whoever sends it is not held up.
        """
        task = asyncio.get_running_loop().create_task(self._pour(stream, chunks))
        self._tasks.add(task)
        task.add_done_callback(self._poured)

    def _poured(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the plugin has been told that the body is broken

    async def _pour(self, stream: int, chunks: AsyncIterator[bytes]) -> None:
        try:
            wanted = not self._poured_before[stream]
            self._poured_before[stream] = True
            async for data in chunks:
                wanted = wanted and await self._piecewise(stream, data)
        except BaseException:
            self.send(wire.data_frame(self.id, stream | wire.BROKEN, b""))
            raise
        self.send(wire.data_frame(self.id, stream | wire.END, b""))

    async def _piecewise(self, stream: int, data: bytes) -> bool:
        at = 0
        while at < len(data):
            while not self._credit[stream]:
                if self.over or (self._ended[stream] and stream == wire.REQUEST_BODY):
                    return False
                await self.more()
            size = min(len(data) - at, self._credit[stream], wire.CHUNK)
            self._credit[stream] -= size
            self.send(wire.data_frame(self.id, stream, data[at : at + size]))
            at += size
        return not self.over

    def send(self, data: bytes) -> None:
        """Send a frame, unless the call is over."""
        if not self.over:
            self._send(data)

    def cancel(self) -> None:
        """Nobody waits for it any more; a second time does nothing."""
        for task in tuple(self._tasks):
            task.cancel()
        if not self.over:
            self._send(wire.frame(wire.CANCEL, self.id))
            self.cancelled = True

    # --- bodies that come

    async def body(self, stream: int) -> AsyncIterator[bytes]:
        """Yield a body as the plugin writes it. Raises `PluginFailed`, `RunnerGone`.

        One ends with the function of the plugin, unless it is said before.
        """
        chunks = self._chunks[stream]
        while True:
            while chunks:
                data = chunks.popleft()
                self._grant(stream, len(data))
                yield data
            if self._ended[stream] & wire.BROKEN:
                raise PluginFailed("the body that the plugin sends has ended early")
            if self._ended[stream]:
                return
            if self.done is not None and stream == wire.RESPONSE_BODY:
                if self.done.flags & wire.DONE_ERROR:
                    raise PluginFailed(self.done.error)
                if self.done.body:
                    yield self.done.body
                return
            if self.cancelled:
                raise PluginFailed("the exchange ended early")
            await self.more()

    def _grant(self, stream: int, size: int) -> None:
        self._eaten[stream] += size
        if self._eaten[stream] >= wire.WINDOW_SIZE // 2:
            self.send(wire.window_frame(self.id, stream, self._eaten[stream]))
            self._eaten[stream] = 0
