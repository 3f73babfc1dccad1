"""The response of a stream, as it waits for its turn and for the client's window.

What waits here is little: the handler is told to pause.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from plugbay.gateway.message._problem import problem
from plugbay.gateway.message._wire import FRAMING
from plugbay.gateway.transport._connection import CLOSED, IDLE
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.http2._connection import Http2Connection
    from plugbay.gateway.http2._stream import ClientStream
    from plugbay.gateway.message._problem import Refused
    from plugbay.gateway.message._wire import Field, Fields

HIGH = 64 * 1024
LOW = 16 * 1024
_BREAKS = b"\r\n\0"
_FRAMED = FRAMING - {b"content-length"}
_NOT_INDEXED = frozenset((b"x-request-id", b"set-cookie", b"authorization"))
"""Fields that do not come again, or are nobody else's business (RFC 7541, 7.1.3)."""


class Outgoing(asyncio.Transport):
    """The transport of one response. `ClientStream` adds what the client sends."""

    __slots__ = (
        "_stuck",
        "chunks",
        "connection",
        "ended",
        "exchange",
        "head",
        "id",
        "mode",
        "over",
        "pending",
        "plane",
        "queued",
        "trailers",
        "writable",
    )

    def __init__(self, connection: Http2Connection, id: int) -> None:
        super().__init__()
        self.connection, self.id = connection, id
        self.plane = connection.plane
        self.mode = IDLE
        self.exchange: Exchange | None = None
        self.head: list[Field] | None = None
        """The response's head, while it waits for its turn."""
        self.chunks: deque[bytes | memoryview] = deque()
        self.pending = 0
        self.trailers: Fields = []
        self.ended = self.over = self.queued = False
        """Whether the response is complete, has gone whole, and waits for its turn."""
        self.writable = True
        self._stuck = NEVER

    # --- what the exchange writes

    def respond(self, status: int, fields: Fields) -> bool:
        """Take the head; False if a plugin has put into it what no field may hold."""
        found = _checked(status, fields)
        if found is None:
            return False
        self.head = found
        self._wake()
        return True

    def refuse(self, error: Refused, *, bodiless: bool) -> None:
        """Answer outside of any exchange; `bodiless`: a request of HEAD."""
        response = problem(error.status, error.detail)
        body = response.body if isinstance(response.body, bytes) else b""
        length = (b"content-length", b"%d" % len(body))
        self.respond(error.status, [*response.headers.raw, length])
        if not bodiless:
            self.write(body)
        self.end([])

    def interim(self, status: int, fields: Fields) -> None:
        """Send an interim head at once."""
        found = _checked(status, fields)
        if found is not None and self.mode != CLOSED:
            self.connection.interim(self.id, found)

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
        self.connection.reset(cast("ClientStream", self), ErrorCodes.INTERNAL_ERROR)

    def _wake(self) -> None:
        if self.mode != CLOSED:
            self.connection.wake(cast("ClientStream", self))

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
