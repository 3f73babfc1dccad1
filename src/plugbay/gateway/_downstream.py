"""A client's connection: it frames requests, one at a time and in order, and takes the answers.

The head is fed to llhttp up to its end and not a byte further, so that a body of known length is
counted and handed on in the buffers it came in, and a pipelined request waits, unparsed, until the
response before it is out. What waits is bounded: reading is paused meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httptools

from plugbay.gateway._bulk import WORTH, BulkReader
from plugbay.gateway._connection import (
    CHUNKED,
    CLOSED,
    DISCARDED,
    HEAD,
    IDLE,
    LENGTH,
    TUNNEL,
    WAITING,
    Connection,
)
from plugbay.gateway._exchange import Exchange
from plugbay.gateway._fast_exchange import FastExchange
from plugbay.gateway._fast_state import MOST
from plugbay.gateway._framing import BACKLOG, CHUNKED_PREAMBLE, HANDLER, spaced
from plugbay.gateway._keep_alive import keep_alive
from plugbay.gateway._problem import Refused
from plugbay.gateway._request_head import AMBIGUOUS, RequestHead, read_request_head, without_space
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._trailers import safe_trailers

if TYPE_CHECKING:
    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway._wire import Fields

EMPTY_LINES = 16
"""How many bytes of empty lines before a request are forgiven."""
_LINE_END = b"\r\n"


class Downstream(Connection):
    """What the bytes of a client's connection mean."""

    __slots__ = ("_express",)

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        super().__init__(plane, scheme)
        self._express = FastExchange(self)

    # --- bytes in

    def data_received(self, data: bytes) -> None:
        if (
            not (self.mode or self.head_bytes or self.backlog)
            and self.writable
            and len(data) <= MOST
            and self._express.take(data)
        ):
            return
        if self.backlog:
            self.backlog.append(data)
        else:
            self._process(data)

    def head_received(self, head: bytes) -> None:
        """Take what may be a head; more was read behind it, and follows."""
        self.data_received(head)

    def outlet(self, size: int) -> asyncio.Transport | None:
        """Return where so much of a body is to be written at once; None if it may be kept."""
        exchange = self.exchange
        if exchange is None or exchange.sink is None or self.mode != LENGTH:
            return None
        return exchange.sink.outlet(size)

    def pass_on(self, data: memoryview, outlet: asyncio.Transport) -> None:
        """Write a part of a body there, and count it."""
        exchange = self.exchange
        if exchange is None:
            return
        self.remaining -= len(data)
        exchange.bytes_in += len(data)
        outlet.write(data)
        if self.mode != LENGTH:
            return
        if not self.paused:
            self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        if not self.remaining:
            self._request_done([])

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
                self.tunnelled()
                self.exchange.request_data(data)
                data = b""
            elif mode == WAITING:
                break
            else:
                self.discard(len(data))
                data = b""
        self.feeding = False
        if data:
            self.backlog.append(data)
            self.pause(BACKLOG)

    def take_backlog(self) -> None:
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
        if self.parser is None:
            self.parser = httptools.HttpRequestParser(self)
        rest = self._feed(data)
        if self.mode == HEAD:  # the usual head comes in one piece and needs no deadline
            self.deadline = self.plane.ticker.after(self.plane.limits.head_timeout)
        return rest

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
        if self.head_bytes or spaced(data):
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
        if self.head_done and not self.head_bytes:
            # llhttp's own answer is text that is formatted each time. It has accepted this first
            # line, so what stands before its end is the version.
            end = piece.find(b"\r\n")
            self.usual = piece[end - 9 : end] == b" HTTP/1.1"
        else:
            self.usual = False
        self._head_fed(len(piece))
        return rest

    def _head_fed(self, size: int) -> None:
        limits = self.plane.limits
        self.head_bytes += size
        if len(self.url) > limits.max_target:
            self.refuse(414, f"the request target is longer than {limits.max_target} bytes")
        elif self.head_bytes > limits.max_head:
            self.refuse(431, f"the head is longer than {limits.max_head} bytes")
        elif len(self.raw) + len(self.special) > limits.max_headers:
            self.refuse(431, f"the head has more than {limits.max_headers} fields")
        elif self.head_done:
            try:
                self._begin_exchange(self._read_head())
            except Refused as error:
                self.refuse(error.status, error.detail)

    def _read_head(self) -> RequestHead:
        parser = self.parser
        raw, special = self.raw, self.special
        if self.spaced:
            raw, special = without_space(raw), without_space(special)
        head = RequestHead(parser.get_method(), self.url, raw)
        if not self.usual:
            version = parser.get_http_version()
            if version == "1.0":
                head.http10 = True
            elif version != "1.1":
                raise Refused(505, "the versions served are HTTP/1.1 and HTTP/1.0")
        head.keep = self.keep
        read_request_head(head, special)
        if head.spelling is not None and head.spelling.escaped:
            table = self.plane.table
            if table is None or not table.takes_escaped:
                raise Refused(400, AMBIGUOUS)
        return head

    def _begin_exchange(self, head: RequestHead) -> None:
        self.raw, self.special, self.url, self.head_done = [], [], b"", False
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
                self.raw, self.special, self.url, self.head_done = [], [], b"", False
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
            self.discard(size)
        else:
            exchange.request_data(data)
        if self.mode == LENGTH:
            if not self.remaining:
                self._request_done([])
            elif self.remaining >= WORTH and not self.bulk:
                BulkReader(self, self.plane.scratch).begin()
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
                self.discard(len(data))
            else:
                self.exchange.request_data(data)
        else:
            # Chunk sizes, their extensions and trailers are no body: they have the head's bound.
            self.head_bytes += size
        if self.message_done and self.mode == CHUNKED:
            trailers, self.raw, self.special = safe_trailers(self.raw), [], []
            self._request_done(trailers)
        elif self.head_bytes > self.plane.limits.max_head or len(self.raw) + len(self.special) > (
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
        lower = self.plane.names[name]
        if lower is not None:
            self.raw.append((lower, value))
        else:
            self.special.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_done = True
        self.keep = self.parser.should_keep_alive()  # llhttp forgets it when the message ends

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.message_done = True

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

    # --- between exchanges

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
        if self.paused:
            self.resume(HANDLER)
        plane = self.plane
        if self.writable:
            self.deadline = plane.ticker.now + plane.idle_span
        if plane.draining:
            self.close_gently()
        elif self.backlog and not self.feeding:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.mode == IDLE and self.backlog:
            self.take_backlog()

    def tunnel(self) -> None:
        """Hand on bytes as they are from now on, first what has come already."""
        if self.mode == WAITING:
            self.mode = TUNNEL
            self.tunnelled()
            keep_alive(self.transport)
            self.take_backlog()
