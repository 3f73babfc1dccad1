"""What a client's connection says: heads, and bodies whose length they do not tell.

The head is fed to llhttp up to its end and not a byte further, so that a body of known length is
counted and handed on in the buffers it came in, and what stands behind it is still unparsed.
"""

from __future__ import annotations

import httptools

from plugbay.gateway.message._framing import spaced
from plugbay.gateway.message._problem import Refused
from plugbay.gateway.message._request_head import (
    AMBIGUOUS,
    RequestHead,
    read_request_head,
    without_space,
)
from plugbay.gateway.transport._connection import CHUNKED, HEAD, Connection

EMPTY_LINES = 16
"""How many bytes of empty lines before a request are forgiven."""
_LINE_END = b"\r\n"


class Reading(Connection):
    """Parses what one client sends. `Downstream` adds what is done with it."""

    __slots__ = ()

    def begin_head(self, data: bytes) -> bytes:
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
        rest = self.feed(data)
        if self.mode == HEAD:  # the usual head comes in one piece and needs no deadline
            self.deadline = self.plane.ticker.after(self.plane.limits.head_timeout)
        return rest

    def feed_chunks(self, data: bytes) -> bytes:
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
            self.malformed()
            return b""
        self.chunks_fed(at)
        return data[at:] if at < size else b""

    def feed(self, data: bytes) -> bytes:
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
            self.malformed()
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
                self.begin_exchange(self._read_head())
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

    def malformed(self) -> None:
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

    # --- what is done with it

    def begin_exchange(self, head: RequestHead) -> None:
        """A head is complete."""
        raise NotImplementedError

    def chunks_fed(self, size: int) -> None:
        """So many bytes of a chunked body have been parsed: `pieces` is what they hold."""
        raise NotImplementedError
