"""A stream: the client of one exchange, with windows of its own both ways.

To its exchange it is what a connection is in HTTP/1.1, and the transport of the response. What
the client's window, or another stream's turn, keeps back waits here; the handler is told to
pause before that is much.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from plugbay.gateway._connection import CLOSED, IDLE
from plugbay.gateway._problem import problem
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._trailers import safe_trailers
from plugbay.gateway._wire import FRAMING
from plugbay.gateway.http2._machine import STREAM_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.gateway._exchange import Exchange
    from plugbay.gateway._problem import Refused
    from plugbay.gateway._wire import Field, Fields
    from plugbay.gateway.http2._connection import Http2Connection

HIGH = 64 * 1024
LOW = 16 * 1024
_BREAKS = b"\r\n\0"
_FRAMED = FRAMING - {b"content-length"}
_NOT_INDEXED = frozenset((b"x-request-id", b"set-cookie", b"authorization"))
"""Fields that do not come again, or are nobody else's business (RFC 7541, 7.1.3)."""


class ClientStream(asyncio.Transport):
    """One stream that a client has opened."""

    __slots__ = (
        "_early",
        "_late",
        "_paused",
        "_stuck",
        "_total",
        "_unacknowledged",
        "_uncredited",
        "chunks",
        "connection",
        "ended",
        "exchange",
        "head",
        "id",
        "mode",
        "peer",
        "pending",
        "plane",
        "queued",
        "receiving",
        "scheme",
        "trailers",
        "tunnelling",
        "writable",
    )

    def __init__(self, connection: Http2Connection, id: int, *, receiving: bool) -> None:
        super().__init__()
        self.connection, self.id = connection, id
        self.plane, self.peer, self.scheme = connection.plane, connection.peer, connection.scheme
        self.mode = IDLE
        self.exchange: Exchange | None = None
        self.receiving = receiving
        """Whether the client may send more."""
        self.head: list[Field] | None = None
        """The response's head, while it waits for its turn."""
        self.chunks: deque[bytes | memoryview] = deque()
        self.pending = 0
        self.trailers: Fields = []
        self.ended = self.queued = self.tunnelling = False
        self.writable = True
        self._early: list[bytes] = []
        """What came for a tunnel that is not open yet; not acknowledged, so it is little."""
        self._paused = self._unacknowledged = self._uncredited = 0
        self._late = self._stuck = self._total = NEVER
        if receiving:
            self._await_data()

    # --- as the client of its exchange

    @property
    def transport(self) -> asyncio.Transport:
        return self

    @property
    def total(self) -> float:
        return self._total

    @total.setter
    def total(self, value: float) -> None:
        self._total = value
        self.connection.note(value)

    def pause(self, reason: int) -> None:
        """Let the client's window run out."""
        self._paused |= reason
        if not self.tunnelling:
            self._late = NEVER  # it is not the client who is slow

    def resume(self, reason: int) -> None:
        """Open the window again, by what has come meanwhile."""
        if not self._paused & reason:
            return
        self._paused &= ~reason
        if not self._paused:
            self._acknowledge()
            self._await_data()

    def tunnel(self) -> None:
        """Hand on bytes from now on, first what has come already."""
        self.tunnelling = True
        self.tunnelled()
        early, self._early = self._early, []
        for data in early:
            if self.exchange is not None:
                self.exchange.request_data(data)
        if not self._paused:
            self._acknowledge()

    def tunnelled(self) -> None:
        """Bytes have gone through the tunnel: its idle time begins again."""
        if self.tunnelling:
            self._late = self.plane.ticker.now + self.plane.tunnel_span
            self.connection.note(self._late)

    def reset(self) -> None:
        """End the stream so that nobody takes it for a whole one."""
        self.connection.reset(self, ErrorCodes.INTERNAL_ERROR)

    def response_done(self, keep: bool) -> None:
        """The exchange is over; what it has written may still be waiting."""
        self.exchange = None
        self._total = NEVER
        if self.mode == CLOSED:
            return
        self._late = NEVER
        self._acknowledge()
        if not self.ended:
            self.connection.reset(self, ErrorCodes.INTERNAL_ERROR)

    # --- as the transport of the response

    def respond(self, status: int, fields: Fields) -> bool:
        """Take the head; False if a plugin has put into it what no field may hold."""
        found = _checked(status, fields)
        if found is None:
            return False
        self.head = found
        self._wake()
        return True

    def refuse(self, error: Refused) -> None:
        """Answer outside of any exchange."""
        response = problem(error.status, error.detail)
        body = response.body if isinstance(response.body, bytes) else b""
        length = (b"content-length", b"%d" % len(body))
        self.respond(error.status, [*response.headers.raw, length])
        self.write(body)
        self.end([])

    def interim(self, status: int, fields: Fields) -> None:
        """Send an interim head at once."""
        found = _checked(status, fields)
        if found is not None and self.mode != CLOSED:
            self.connection.interim(self, found)

    def write(self, data: Any) -> None:
        if not data or self.mode == CLOSED:
            return
        self.chunks.append(data)
        if not self.pending:
            self._await_window()
        self.pending += len(data)
        self._wake()
        if self.pending > HIGH and self.writable:
            self.writable = False
            if self.exchange is not None:
                self.exchange.pause_response()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for data in list_of_data:
            self.write(data)

    def end(self, trailers: Fields) -> None:
        """The response is complete."""
        self.ended = True
        self.trailers = [field for field in trailers if not _breaks(field)]
        self._wake()

    def get_write_buffer_size(self) -> int:
        return self.pending

    def is_closing(self) -> bool:
        return self.mode == CLOSED

    def abort(self) -> None:
        self.reset()

    def _wake(self) -> None:
        if self.mode != CLOSED:
            self.connection.wake(self)

    # --- what the connection sends of it

    @property
    def whole(self) -> bool:
        """Whether nothing is left to send of it."""
        return self.ended and not self.pending and not self.trailers

    def take(self, room: int) -> bytes | memoryview:
        """Return the next bytes of the body, at most so many."""
        chunks = self.chunks
        data = chunks.popleft()
        if len(data) > room:
            view = memoryview(data)
            chunks.appendleft(view[room:])
            data = view[:room]
        elif chunks and len(data) + len(chunks[0]) <= room:
            some, size = [data], len(data)
            while chunks and size + len(chunks[0]) <= room:
                size += len(chunks[0])
                some.append(chunks.popleft())
            data = b"".join(some)
        self.pending -= len(data)
        return data

    def sent(self) -> None:
        """The client has taken some of it."""
        self._stuck = NEVER
        if self.pending:
            self._await_window()
        if not self.writable and self.pending < LOW:
            self.writable = True
            if self.exchange is not None:
                self.exchange.resume_response()

    # --- what the client sends

    def received(self, data: bytes, size: int) -> None:
        """Take bytes of the request's body, which count `size` in the windows."""
        exchange = self.exchange
        if exchange is None:
            self.connection.consumed(size)  # not of the stream: it is to send no more
            return
        self._unacknowledged += size
        if exchange.head.upgrade and not self.tunnelling:
            self._early.append(data)
            return
        if self.tunnelling:
            self.tunnelled()
        elif not self._paused:
            self._await_data()
        if data:
            exchange.request_data(data)
        if not self._paused:
            self._acknowledge()

    def request_ended(self, trailers: Fields) -> None:
        """The client has sent all."""
        if not self.receiving:
            return  # the end of a stream is told behind its trailers, too
        self.receiving = False
        exchange = self.exchange
        if not self.tunnelling:
            self._late = NEVER
        if exchange is None:
            return
        if exchange.head.upgrade:
            self.end([])
            exchange.client_gone()
        elif exchange.head.length:
            exchange.request_end(safe_trailers(trailers))

    def gone(self) -> None:
        """The stream, or its connection, is no more."""
        self.mode = CLOSED
        self.chunks.clear()
        self.pending = 0
        self._late = self._stuck = self._total = NEVER
        if self._unacknowledged:
            self.connection.consumed(self._unacknowledged)
            self._unacknowledged = 0
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()

    def _acknowledge(self) -> None:
        """Open the windows again by what was taken."""
        size, self._unacknowledged = self._unacknowledged, 0
        if not size:
            return
        self.connection.consumed(size)
        self._uncredited += size
        if self.receiving and self._uncredited >= STREAM_WINDOW // 2:
            self.connection.credit(self.id, self._uncredited)
            self._uncredited = 0

    # --- deadlines

    @property
    def deadline(self) -> float:
        return min(self._late, self._stuck, self._total)

    def expire(self, now: float) -> None:
        """Do what is due: for a slow upload or download, an idle tunnel, or a slow route."""
        exchange = self.exchange
        if self._stuck <= now:
            self.connection.stalled(self)
            return
        if self._late <= now and exchange is not None:
            self._late = NEVER
            if self.tunnelling:
                exchange.break_off()
            else:
                exchange.late_body()
        if self._total <= now and self.exchange is not None:
            self._total = NEVER
            self.exchange.late()

    def _await_data(self) -> None:
        if self.receiving and not self.tunnelling:
            self._late = self.plane.ticker.after(self.plane.limits.body_timeout)
            self.connection.note(self._late)

    def _await_window(self) -> None:
        self._stuck = self.plane.ticker.after(self.plane.limits.body_timeout)
        self.connection.note(self._stuck)


def _checked(status: int, fields: Fields) -> list[Field] | None:
    """Return a head as the client gets it; None if a plugin has broken it."""
    head: list[Field] = [(b":status", b"%d" % status)]
    for field in fields:
        name = field[0]
        if name.startswith(b":"):
            return None
        if name not in _FRAMED:
            head.append(NeverIndexedHeaderTuple(*field) if name in _NOT_INDEXED else field)
    text = b"".join(chain.from_iterable(head))
    return head if len(text.translate(None, _BREAKS)) == len(text) else None


def _breaks(field: Field) -> bool:
    """Whether a client of HTTP/1.1 behind the next proxy could take it for more than one."""
    text = field[0] + field[1]
    return len(text.translate(None, _BREAKS)) != len(text)
