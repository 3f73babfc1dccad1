"""Frames out: a frame of each stream in turn, as far as windows and the transport let them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from h2.errors import ErrorCodes

from plugbay.gateway.http2._machine import CONNECTION_WINDOW, Machine
from plugbay.gateway.http2._vigil import Vigil
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.http2._stream import ClientStream

FRAME = 16 * 1024
"""The largest frame of data sent; a client must take it (RFC 9113, 6.5.2)."""
BATCH = 64 * 1024
"""How much is framed before it is written."""
USEFUL = 1024
"""A frame of data of this size is worth the window updates that it brings; so is a smaller one,
if there was no more to send."""


class Sending(asyncio.Protocol):
    """What a connection sends of its streams. `Lasting` adds how it begins and ends."""

    _transport: asyncio.Transport
    _loop: asyncio.AbstractEventLoop

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        self.plane, self.scheme = plane, scheme
        self.peer = ""
        self.machine = Machine(plane.limits)
        self.streams: dict[int, ClientStream] = {}
        self.deadline = NEVER
        """When to look next: not later than the first of all deadlines."""
        self._vigil = Vigil(plane.ticker.now)
        self._ready: deque[ClientStream] = deque()
        self._blocked: dict[ClientStream, None] = {}
        self._writable = True
        self._consumed = 0
        self._progress = plane.ticker.now
        """When the client has taken any body last."""
        self._feeding = self._woken = self._closing = False

    # --- for streams

    def note(self, deadline: float) -> None:
        """Something is due then."""
        self.deadline = min(self.deadline, deadline)

    def consumed(self, size: int) -> None:
        """Bytes that count in the window were taken, or thrown away."""
        self._consumed += size
        if self._consumed >= CONNECTION_WINDOW // 2 and not self._closing:
            self.machine.increment_flow_control_window(self._consumed)
            self._consumed = 0
            self.wake(None)

    def credit(self, id: int, size: int) -> None:
        """Let a stream send so much more."""
        if not self._closing:
            self.machine.increment_flow_control_window(size, id)
            self.wake(None)

    def interim(self, id: int, head: list[tuple[bytes, bytes]]) -> None:
        """Send a head before the response's own."""
        if not self._closing:
            self.machine.send_headers(id, head)
            self.wake(None)

    def reset(self, stream: ClientStream, code: ErrorCodes) -> None:
        """End a stream at once."""
        if self.streams.pop(stream.id, None) is not None:
            self._blocked.pop(stream, None)
            if not self._closing:
                self.machine.reset_stream(stream.id, code)
            stream.gone()
            self.wake(None)
            self._emptied()

    def is_stalled(self, stream: ClientStream) -> bool:
        """Whether it is the client who does not take a response, and not the turn of others."""
        if stream in self._blocked and self.machine.outbound_flow_control_window > 0:
            return True
        limits = self.plane.limits
        return self._progress + limits.body_timeout <= self.plane.ticker.now

    def stalled(self, stream: ClientStream) -> None:
        """The client has taken nothing of a response for too long."""
        raise NotImplementedError

    def wake(self, stream: ClientStream | None) -> None:
        """Send soon what there is, of this stream maybe, with what else comes up until then."""
        if stream is not None and stream not in self._blocked:
            self._queue(stream)
        if not (self._woken or self._feeding):
            self._woken = True
            self._loop.call_soon(self.flush)

    def _queue(self, stream: ClientStream) -> None:
        if not stream.queued:
            stream.queued = True
            self._ready.append(stream)

    def _unblock(self) -> None:
        """The window of the connection, or of all streams, has changed."""
        blocked, self._blocked = self._blocked, {}
        for stream in blocked:
            self.wake(stream)

    # --- frames

    def flush(self) -> None:
        """Send what may be sent."""
        self._woken = False
        ready, size = self._ready, 0
        while ready and self._writable and not self._closing:
            stream = ready.popleft()
            stream.queued = False
            if self.streams.get(stream.id) is stream:
                size += self._send(stream)
            if size >= BATCH:
                self._write()
                size = 0
        self._write()

    def _write(self) -> None:
        data = self.machine.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _send(self, stream: ClientStream) -> int:
        """Send the head and the next frame of a stream; return how much of its body went."""
        if stream.over:
            self._settle(stream)
            return 0
        machine, size, last = self.machine, 0, False
        head, stream.head = stream.head, None
        if head is not None:
            last = stream.whole
            machine.send_headers(stream.id, head, end_stream=last)
        if stream.pending:
            room = min(machine.local_flow_control_window(stream.id), FRAME)
            if room <= 0:
                self._blocked[stream] = None
                return 0
            data = stream.take(room)
            size, last = len(data), stream.whole
            self._progress = self.plane.ticker.now
            machine.send_data(stream.id, data, end_stream=last)
            if size >= USEFUL or not stream.pending:
                self._vigil.data()
            stream.sent()
        if last:
            self._sent_all(stream)
        elif stream.pending:
            self._queue(stream)  # it is the turn of the others first
        elif stream.ended:
            if stream.trailers:
                machine.send_headers(stream.id, stream.trailers, end_stream=True)
            else:
                machine.end_stream(stream.id)
            self._sent_all(stream)
        return size

    def _sent_all(self, stream: ClientStream) -> None:
        """The response has gone whole: a client that still sends is told that it need not."""
        stream.over = True
        self._vigil.answered()
        if stream.receiving:
            self.reset(stream, ErrorCodes.NO_ERROR)
        else:
            self._settle(stream)

    def _settle(self, stream: ClientStream) -> None:
        """Forget a stream that both sides have ended."""
        if stream.over and not (stream.receiving or stream.queued):
            del self.streams[stream.id]
            stream.gone()
            self._emptied()

    def _emptied(self) -> None:
        """A stream is over, maybe the last one."""
        raise NotImplementedError
