"""How a connection of HTTP/2 begins, is kept waiting, and ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from h2.errors import ErrorCodes

from plugbay.gateway.http2._sending import Sending
from plugbay.gateway.transport._connection import LINGER
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.http2._stream import ClientStream

STAYING, LEAVING, LEFT = range(3)
"""All is well; GOAWAY was sent, and requests on their way are taken; no more are taken."""
_ANY = 2**31 - 1
FAREWELL = b"farewell"
"""The ping behind the first GOAWAY: when it is answered, the client has read that."""


class Lasting(Sending):
    """What lasts as long as the connection. `Http2Connection` adds what its bytes mean."""

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        super().__init__(plane, scheme)
        self.total = NEVER
        self._own = NEVER
        self._unsent = self._silent = 0
        self._greeted = False
        """Whether the client has sent its preface."""
        self._going = STAYING
        self._last = _ANY

    # --- the transport's side

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)
        plane = self.plane
        self.peer = plane.opened(self, stream)
        self._loop = asyncio.get_running_loop()
        self.machine.begin()
        self._due(plane.ticker.after(plane.limits.head_timeout))
        self.flush()
        if plane.crowded:
            plane.stats.refused += 1
            self.close(ErrorCodes.ENHANCE_YOUR_CALM)
        elif plane.draining:
            self.leave()

    def pause_writing(self) -> None:
        """The client does not read: neither do we, or it could make us answer without end."""
        self._writable = False
        self._unsent = self._transport.get_write_buffer_size()
        self._transport.pause_reading()
        self._due(self.plane.ticker.after(self.plane.limits.body_timeout))

    def resume_writing(self) -> None:
        self._writable = True
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._rest()
        self.wake(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._own = self.deadline = NEVER
        self.plane.closed(self)
        self._drop_streams()

    # --- deadlines

    def _due(self, deadline: float) -> None:
        self._own = deadline
        self.note(deadline)

    def _rest(self) -> None:
        """Frames have come: wait for streams to end, or, without any, for the next request."""
        if self._writable and not self._closing and self._going != LEAVING:
            plane = self.plane
            self._due(NEVER if self.streams else plane.ticker.now + plane.idle_span)

    def _emptied(self) -> None:
        """A stream is over; the last one may be what the end has waited for."""
        if not self.streams and not self._closing:
            if self._going == LEFT:
                self.close(ErrorCodes.NO_ERROR)
            else:
                self._rest()

    def expire(self) -> None:
        now = self.plane.ticker.now
        for stream in tuple(self.streams.values()):
            stream.expire(now)
        if self._own <= now:
            self._expire_own()
        deadlines = [stream.deadline for stream in self.streams.values()]
        self.deadline = min(self._own, *deadlines) if deadlines else self._own

    def _expire_own(self) -> None:
        self._own = NEVER
        if not self._writable:
            unsent = self._transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._unsent = unsent
                self._due(self.plane.ticker.after(self.plane.limits.body_timeout))
            else:
                self._transport.abort()
        elif self._closing:
            self._transport.abort()
        elif self._silent or not self._greeted:
            self.close(ErrorCodes.NO_ERROR)
        elif self._going == LEAVING:
            self._left()
        else:
            self.leave()

    def expire_total(self) -> None:
        """Streams have their own."""

    # --- for streams

    def stalled(self, stream: ClientStream) -> None:
        """The client has taken nothing of a response for too long."""
        self.plane.http2.abused("stalled")
        self.reset(stream, ErrorCodes.CANCEL)

    # --- the end

    def in_flight(self) -> Sequence[Exchange]:
        found = [stream.exchange for stream in self.streams.values()]
        return [exchange for exchange in found if exchange is not None]

    def end_if_idle(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Say goodbye: what is on its way is still served, up to the answer to our ping."""
        if self._going == STAYING and not self._closing:
            self._going = LEAVING
            self.machine.close_connection(ErrorCodes.NO_ERROR, last_stream_id=_ANY)
            self.machine.ping(FAREWELL)
            self._due(self.plane.ticker.after(LINGER))
            self.wake(None)

    def _left(self) -> None:
        """The client knows that we are going: what comes from now on, it may ask of another."""
        self._going = LEFT
        self._last = self.machine.highest_inbound_stream_id
        self.machine.close_connection(ErrorCodes.NO_ERROR)
        self._due(NEVER)
        self.wake(None)
        self._emptied()

    def close(self, code: ErrorCodes) -> None:
        """Tell the client why, and end the connection."""
        if not self._closing:
            self.machine.close_connection(code)
            self._end()

    def _end(self) -> None:
        """Write what there is, and let the client read it: see `Connection.close_gently`."""
        self._write()
        self._closing = True
        self._drop_streams()
        if self._transport.is_closing():
            return
        self._due(self.plane.ticker.after(LINGER))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _drop_streams(self) -> None:
        streams, self.streams = self.streams, {}
        self._ready.clear()
        self._blocked.clear()
        for stream in streams.values():
            stream.gone()
