"""A client's connection: it frames requests, one at a time and in order, and takes the answers.

The head is fed to llhttp up to its end and not a byte further, so that a body of known length is
counted and handed on in the buffers it came in, and a pipelined request waits, unparsed, until the
response before it is out. What waits is bounded: reading is paused meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

import httptools

from plugbay.gateway._exchange import Exchange
from plugbay.gateway._framing import BACKLOG, CHUNKED_PREAMBLE, HANDLER, Cutter
from plugbay.gateway._problem import Refused, last_words
from plugbay.gateway._request_head import RequestHead, read_request_head, without_space
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._trailers import safe_trailers

if TYPE_CHECKING:
    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway._wire import Fields

IDLE, HEAD, LENGTH, CHUNKED, WAITING, TUNNEL, DISCARD, CLOSED = range(8)
"""Between requests; in a head; in a body; the request is complete; switched; ending; over."""

WRITE_HIGH = 256 * 1024
WRITE_LOW = 64 * 1024
DISCARDED = 1024 * 1024
"""How much of an upload is read and thrown away after an early response, to keep the connection
or at least to let the client read the response before a reset destroys it."""
LINGER = 2.0
EMPTY_LINES = 16
"""How many bytes of empty lines before a request are forgiven."""
_LINE_END = b"\r\n"


class Downstream(asyncio.Protocol):
    """One connection from a client."""

    __slots__ = (
        "backlog",
        "cutter",
        "deadline",
        "discarded",
        "exchange",
        "feeding",
        "head_bytes",
        "head_done",
        "keep",
        "local",
        "message_done",
        "mode",
        "parser",
        "paused",
        "peer",
        "pieces",
        "plane",
        "raw",
        "remaining",
        "scheme",
        "spaced",
        "total",
        "transport",
        "unsent",
        "url",
        "writable",
    )

    transport: asyncio.Transport

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        self.plane = plane
        self.scheme = scheme
        self.peer = ""
        self.local: tuple[str, int] = ("", 0)
        self.parser: Any = httptools.HttpRequestParser(self)
        self.cutter = Cutter()
        self.mode = IDLE
        self.exchange: Exchange | None = None
        self.url = b""
        self.raw: Fields = []
        self.pieces: list[bytes] = []
        self.backlog: list[bytes] = []
        self.head_bytes = self.remaining = self.discarded = self.paused = self.unsent = 0
        self.head_done = self.message_done = self.keep = self.feeding = self.spaced = False
        self.writable = True
        self.deadline = self.total = NEVER

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = stream = cast("asyncio.Transport", transport)
        plane = self.plane
        peer = stream.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        stream.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        plane.connections.add(self)
        plane.stats.connections += 1
        self.deadline = plane.ticker.after(plane.limits.idle_timeout)
        if len(plane.connections) > plane.limits.max_connections:
            self.refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.mode = CLOSED
        self.deadline = self.total = NEVER
        self.plane.connections.discard(self)
        self.backlog.clear()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        self.parser = None
        self.plane.closed_connection()

    def pause_writing(self) -> None:
        self.writable = False
        self.unsent = self.transport.get_write_buffer_size()
        self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        if self.exchange is not None:
            self.exchange.pause_response()

    def resume_writing(self) -> None:
        self.writable = True
        if self.mode in (WAITING, TUNNEL):
            self.deadline = NEVER
        if self.exchange is not None:
            self.exchange.resume_response()
        elif self.mode == IDLE and self.backlog:
            self._take_backlog()

    def pause(self, reason: int) -> None:
        """Stop reading for one more reason."""
        if not self.paused and self.mode != CLOSED and not self.transport.is_closing():
            self.transport.pause_reading()
        self.paused |= reason
        if self.mode in (LENGTH, CHUNKED) and self.writable:
            self.deadline = NEVER  # it is not the client who is slow

    def resume(self, reason: int) -> None:
        """One reason to not read is gone."""
        if not self.paused & reason:
            return
        self.paused &= ~reason
        if not self.paused and self.mode != CLOSED and not self.transport.is_closing():
            self.transport.resume_reading()
            if self.mode in (LENGTH, CHUNKED):
                self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)

    def expire(self) -> None:
        """The deadline has passed: of the head, the body, the idle time or a slow reader."""
        if not self.writable:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self.unsent:
                self.unsent = unsent
                self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
                return
            self.transport.abort()
        elif self.mode == HEAD:
            self.refuse(408, "the head of the request took too long")
        elif self.mode in (LENGTH, CHUNKED) and self.exchange is not None:
            self.exchange.late_body()
        elif self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()
            self.deadline = self.plane.ticker.after(LINGER)

    def expire_total(self) -> None:
        """The route's time for the whole exchange is over."""
        self.total = NEVER
        if self.exchange is not None:
            self.exchange.late()

    # --- bytes in

    def data_received(self, data: bytes) -> None:
        if self.backlog:
            self.backlog.append(data)
        else:
            self._process(data)

    def _process(self, data: bytes) -> None:
        self.feeding = True
        while data:
            mode = self.mode
            if mode == IDLE:
                if not self.writable:
                    break
                data = self._begin_head(data)
            elif mode == HEAD:
                data = self._feed(data)
            elif mode == CHUNKED:
                data = self._feed_chunks(data)
            elif mode == LENGTH:
                data = self._count(data)
            elif mode == TUNNEL and self.exchange is not None:
                self.exchange.request_data(data)
                data = b""
            elif mode == WAITING:
                break
            else:
                self._discard(len(data))
                data = b""
        self.feeding = False
        if data:
            self.backlog.append(data)
            self.pause(BACKLOG)

    def _take_backlog(self) -> None:
        data = b"".join(self.backlog)
        self.backlog.clear()
        self.resume(BACKLOG)
        if data:
            self._process(data)

    def _begin_head(self, data: bytes) -> bytes:
        """Begin a head behind a few empty lines, which are ignored (RFC 9112, 2.2)."""
        if data[0] in _LINE_END:
            rest = data.lstrip(b"\r\n")
            self.head_bytes += len(data) - len(rest)
            if self.head_bytes > EMPTY_LINES:
                self.mode = HEAD
                self.refuse(400, "too many empty lines before a request")
                return b""
            if not rest:
                return rest
            data = rest
        self.mode = HEAD
        self.head_bytes = 0
        self.spaced = False
        self.deadline = self.plane.ticker.after(self.plane.limits.head_timeout)
        return self._feed(data)

    def _feed_chunks(self, data: bytes) -> bytes:
        """Feed the parser up to the end of the chunked body; return what stands behind it.

        Data may hold an empty line every four bytes, so nothing is copied or sent for each.
        """
        view, at, size = memoryview(data), 0, len(data)
        try:
            while at < size and not self.message_done:
                cut = self.cutter.cut(data, at)
                self.parser.feed_data(view[at:cut])
                at = cut
        except httptools.HttpParserError:
            self._malformed()
            return b""
        self._chunks_fed(at)
        return data[at:] if at < size else b""

    def _feed(self, data: bytes) -> bytes:
        """Feed the parser up to the end of the head; return what stands behind it."""
        if self.head_bytes or b" \r\n" in data or b"\t\r\n" in data:
            self.spaced = True
        cut = self.cutter.cut(data)
        piece, rest = (data, b"") if cut == len(data) else (data[:cut], data[cut:])
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # nothing stands behind the end of the head in this piece
        except httptools.HttpParserError:
            self._malformed()
            return b""
        self._head_fed(len(piece))
        return rest

    def _head_fed(self, size: int) -> None:
        limits = self.plane.limits
        self.head_bytes += size
        if len(self.url) > limits.max_target:
            self.refuse(414, f"the request target is longer than {limits.max_target} bytes")
        elif self.head_bytes > limits.max_head:
            self.refuse(431, f"the head is longer than {limits.max_head} bytes")
        elif len(self.raw) > limits.max_headers:
            self.refuse(431, f"the head has more than {limits.max_headers} fields")
        elif self.head_done:
            try:
                self._begin_exchange(self._read_head())
            except Refused as error:
                self.refuse(error.status, error.detail)

    def _read_head(self) -> RequestHead:
        parser = self.parser
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise Refused(505, "the versions served are HTTP/1.1 and HTTP/1.0")
        head = RequestHead(parser.get_method(), self.url, http10=version == "1.0", keep=self.keep)
        read_request_head(head, without_space(self.raw) if self.spaced else self.raw)
        return head

    def _begin_exchange(self, head: RequestHead) -> None:
        self.raw, self.url, self.head_done = [], b"", False
        self.head_bytes = 0
        if head.length:
            head.upgrade = b""
            self.mode = LENGTH if head.length > 0 else CHUNKED
            self.remaining = head.length
            self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        else:
            self.mode = WAITING
            self.deadline = NEVER
        if head.length > 0 or self.parser.should_upgrade():
            self.parser = httptools.HttpRequestParser(self)
            if head.length < 0:
                self.parser.feed_data(CHUNKED_PREAMBLE)
                self.raw, self.url, self.head_done = [], b"", False
        self.message_done = False
        self.exchange = exchange = Exchange(self, head)
        exchange.begin()

    def _count(self, data: bytes) -> bytes:
        """Hand on bytes of a body of known length; return what stands behind it."""
        size = len(data)
        rest = b""
        if size > self.remaining:
            data, rest = data[: self.remaining], data[self.remaining :]
            size = self.remaining
        self.remaining -= size
        if not self.paused:
            self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        exchange = self.exchange
        if exchange is None:
            self._discard(size)
        else:
            exchange.request_data(data)
        if not self.remaining and self.mode == LENGTH:
            self._request_done([])
        return rest

    def _chunks_fed(self, size: int) -> None:
        if not self.paused:
            self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        pieces = self.pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self.head_bytes = 0
            if self.exchange is None:
                self._discard(len(data))
            else:
                self.exchange.request_data(data)
        else:
            # Chunk sizes, their extensions and trailers are no body: they have the head's bound.
            self.head_bytes += size
        if self.message_done and self.mode == CHUNKED:
            trailers, self.raw = safe_trailers(self.raw), []
            self._request_done(trailers)
        elif self.head_bytes > self.plane.limits.max_head or len(self.raw) > (
            self.plane.limits.max_headers
        ):
            self._malformed()

    def _request_done(self, trailers: Fields) -> None:
        if self.exchange is None:
            self._next()
            return
        self.mode = WAITING
        if self.writable:
            self.deadline = NEVER
        self.exchange.request_end(trailers)

    # --- the parser's callbacks

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.raw.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_done = True
        self.keep = self.parser.should_keep_alive()  # llhttp forgets it when the message ends

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.message_done = True

    # --- the end of an exchange, and of the connection

    def response_done(self, keep: bool) -> None:
        """The response has been written; go on to the next request, or end the connection."""
        self.exchange = None
        self.total = NEVER
        if self.mode == CLOSED:
            return
        if not keep or self.mode == TUNNEL or self.remaining > DISCARDED:
            self.close_gently()
        elif self.mode == WAITING:
            self._next()
        else:
            self.discarded = 0
            self.resume(HANDLER)

    def _next(self) -> None:
        self.mode = IDLE
        self.head_bytes = self.discarded = 0
        self.head_done = self.message_done = False
        self.resume(HANDLER)
        if self.writable:
            self.deadline = self.plane.ticker.after(self.plane.limits.idle_timeout)
        if self.plane.draining:
            self.close_gently()
        elif self.backlog and not self.feeding:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.mode == IDLE and self.backlog:
            self._take_backlog()

    def _discard(self, size: int) -> None:
        self.discarded += size
        if self.discarded > DISCARDED:
            if self.mode == DISCARD:
                self.transport.abort()
            else:
                self.close_gently()

    def _malformed(self) -> None:
        """llhttp has refused: say why if the head can tell, else 400."""
        if self.mode == HEAD and self.head_done:
            try:
                self._read_head()
            except Refused as error:
                self.refuse(error.status, error.detail)
                return
        if self.exchange is not None:
            self.exchange.malformed_body()
        elif self.mode == CHUNKED:
            self.close_gently()  # the response is out already
        else:
            self.refuse(400, "the request is not well-formed HTTP/1.1")

    def refuse(self, status: int, detail: str) -> None:
        """Answer outside of any exchange, and end the connection."""
        self.plane.stats.refused += 1
        self.transport.write(last_words(status, detail))
        self.close_gently()

    def tunnel(self) -> None:
        """Hand on bytes as they are from now on, first what has come already."""
        if self.mode == WAITING:
            self.mode = TUNNEL
            self.deadline = NEVER
            self._take_backlog()

    def end_if_idle(self) -> None:
        """The plane is draining: a connection between requests ends now, others when done."""
        if self.mode == IDLE:
            self.close_gently()

    def reset(self) -> None:
        """End the connection by a reset, where its end would pass for the end of a body."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close_gently(self) -> None:
        """End the connection so that the client can still read what was written.

        Closing with unread bytes would send a reset that destroys the response on its way. So our
        side is shut first, and what still comes is read and thrown away, within bounds.
        """
        waiting = self.mode in (WAITING, IDLE) and not self.backlog
        self.backlog.clear()
        if self.mode == CLOSED or self.transport.is_closing():
            return
        self.mode = DISCARD
        self.deadline = self.plane.ticker.after(LINGER)
        if waiting or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.discarded = 0
        self.resume(BACKLOG)
        self.resume(HANDLER)
