"""A connection to an upstream's target: it frames responses and knows when it may be used again.

It is used again only if the last exchange is over to the last byte on both sides: the request was
sent whole, the response ended by its own framing, nothing came behind it, and neither side asked
to close (RFC 9112, 9.3). httptools is not told that a response answers HEAD, so such a response
ends at its head here and the parser is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from plugbay.gateway.message._framing import CHUNKED_RESPONSE, spaced
from plugbay.gateway.message._request_head import without_space
from plugbay.gateway.message._response_head import (
    CHUNKED_BODY,
    UNTIL_CLOSE,
    BadResponse,
    read_response_head,
)
from plugbay.gateway.message._trailers import safe_trailers
from plugbay.gateway.transport._bulk import WORTH, BulkReader
from plugbay.gateway.transport._ticker import NEVER
from plugbay.gateway.upstream._parsed_connection import ParsedConnection
from plugbay.gateway.upstream._target_connection import (
    CHUNKED,
    CLOSED,
    HEAD,
    LENGTH,
    SPARE,
    TUNNEL,
    UNTIL_END,
)

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._forwarding import Forwarding
    from plugbay.gateway.message._response_sections import ResponseSection
    from plugbay.gateway.message._wire import Fields
    from plugbay.sdk import Response

MAX_HEAD = 256 * 1024
_WHOLE = 16 * 1024
"""Up to this size a response is parsed in one go; above, the body goes round the parser."""


class Upstream(ParsedConnection):
    """What the bytes of a connection to a target mean."""

    __slots__ = ()

    def connection_lost(self, exc: Exception | None) -> None:
        self._promote()
        mode, self.mode = self.mode, CLOSED
        self.deadline = NEVER
        self.target.lost(self)
        forwarding, self.forwarding = self.forwarding, None
        if forwarding is not None:
            if exc is None and mode in (UNTIL_END, TUNNEL):
                forwarding.response_end([])
            else:
                forwarding.upstream_lost(self, heard=bool(self.status or self.head_bytes))
        self.parser = None

    # --- bytes in

    def data_received(self, data: bytes) -> None:
        fast = self.fast
        if fast is not None:
            fast.answered(self, data)
            return
        mode, forwarding = self.mode, self.forwarding
        if forwarding is None:
            # Nobody has asked for these bytes: what follows them cannot be trusted either.
            self.transport.abort()
            return
        if mode in (HEAD, CHUNKED):
            self._feed(forwarding, data)
        elif mode == LENGTH:
            self._counted(forwarding, data)
        else:
            forwarding.response_data(data)
            forwarding.flush()
        self._go_on_waiting()
        if self.mode == LENGTH and self.remaining >= WORTH and not self.bulk:
            BulkReader(self, self.target.pool.scratch).begin()

    def head_received(self, head: bytes) -> None:
        """Take what may be a head; more was read behind it, and follows."""
        self._promote()
        self.corked = True
        self.data_received(head)
        self.corked = False

    def outlet(self, size: int) -> asyncio.Transport | None:
        """Return where so much of a body is to be written at once; None if it may be kept."""
        if self.forwarding is None or self.mode != LENGTH:
            return None
        return self.forwarding.exchange.outlet()

    def pass_on(self, data: memoryview, outlet: asyncio.Transport) -> None:
        """Write a part of a body there, and count it."""
        forwarding = self.forwarding
        if forwarding is None:
            return
        self.remaining -= len(data)
        forwarding.exchange.pass_on(data)
        if not self.remaining and self.forwarding is forwarding:
            self._done(forwarding, [], extra=False)
        else:
            self._go_on_waiting()

    def _counted(self, forwarding: Forwarding, data: bytes) -> None:
        size = len(data)
        extra = size > self.remaining
        if extra:
            data, size = data[: self.remaining], self.remaining
        self.remaining -= size
        forwarding.exchange.response_data(data)
        if not self.remaining and self.forwarding is forwarding:
            self._done(forwarding, [], extra=extra)
        else:
            forwarding.flush()

    def _feed(self, forwarding: Forwarding, data: bytes) -> None:
        rest = b""
        extra = False
        if self.mode == HEAD:
            if self.bodiless or len(data) > _WHOLE:
                cut = self.cutter.cut(data)
                data, rest = data[:cut], data[cut:]
            if self.head_bytes or spaced(data):
                self.spaced = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :] + rest
        except httptools.HttpParserError:
            if not self.message_done:
                forwarding.upstream_bad("the upstream's response is not well-formed HTTP/1.1")
                return
            extra = True
        if self.interim:
            relayed = self.spaced = True  # only the first head was searched
            self._relay_interim(forwarding)
        else:
            relayed = False
        if self.mode == HEAD:
            self.head_bytes += len(data)
            if self.head_done:
                self._head(forwarding)
            elif self.head_bytes > MAX_HEAD:
                forwarding.upstream_bad("the head of the upstream's response is too long")
            elif rest and relayed:
                self._feed(forwarding, rest)
                return
            elif rest or self.corked:
                forwarding.upstream_bad("the upstream sent empty lines before its response")
            if self.forwarding is not forwarding:
                return
        self._deliver(forwarding, len(data), rest, extra)

    def _deliver(self, forwarding: Forwarding, size: int, rest: bytes, extra: bool) -> None:
        """Hand on the body that the parser has found, and see whether it is complete."""
        if self.pieces:
            data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
            self.pieces.clear()
            if self.mode == LENGTH:
                self.remaining -= len(data)
            self.head_bytes = 0
            forwarding.exchange.response_data(data)
        elif self.mode == CHUNKED:
            # Chunk sizes, their extensions and trailers are no body: they have the head's bound.
            self.head_bytes += size
            if self.head_bytes > MAX_HEAD:
                forwarding.upstream_bad("the upstream's chunked coding has no end")
        if self.forwarding is not forwarding:
            return
        if self.message_done and self.mode != TUNNEL:
            trailers = safe_trailers(self.raw) if self.raw else []
            self._done(forwarding, trailers, extra=extra or self.corked or bool(rest))
        elif rest:
            self.data_received(rest)
        elif not self.corked:
            forwarding.flush()

    def _head(self, forwarding: Forwarding) -> None:
        """The head is complete: decide how the body is framed and pass the head on."""
        status = self.status
        raw, special = self.fields, self.special
        if self.spaced:
            raw, special = without_space(raw), without_space(special)
            self.spaced = False
        self.head_done = False
        if status == 101:
            forwarding.switched(self, raw, special)
            return
        bodiless = self.bodiless or status == 204 or status == 304
        try:
            head = read_response_head(status, raw, special, bodiless)
        except BadResponse as error:
            forwarding.upstream_bad(str(error))
            return
        if bodiless:
            if not self.message_done:
                self.parser = httptools.HttpResponseParser(self)
                self.message_done = True
            self.pieces.clear()
        elif head.length == UNTIL_CLOSE:
            self.mode, self.keep = UNTIL_END, False
        elif head.length == CHUNKED_BODY:
            self.mode = CHUNKED
        elif not self.message_done:
            self.mode, self.remaining = LENGTH, head.length
            self.parser = httptools.HttpResponseParser(self)
        forwarding.response(head)

    def _relay_interim(self, forwarding: Forwarding) -> None:
        interim, self.interim = self.interim, []
        for status, raw, special in interim:
            forwarding.informational(status, without_space(raw), without_space(special))

    def _done(self, forwarding: Forwarding, trailers: Fields, *, extra: bool) -> None:
        """The response is complete: give the connection back if all is well, else close it."""
        self.forwarding = None
        self.deadline = NEVER
        whole = forwarding.request_sent
        if self.keep and whole and not extra and not self.transport.is_closing():
            self.mode = SPARE
            self.status = self.head_bytes = 0
            self.head_done = self.message_done = self.bodiless = False
            if self.raw or self.raw_special:
                self.raw, self.raw_special = [], []
            if self.paused:
                self.resume_spare()
            self.target.give_back(self)
        else:
            self.mode = CLOSED
            if whole:
                self.transport.close()
            else:
                self.transport.abort()
        forwarding.response_end(trailers)

    def answered(
        self, exchange: Exchange, section: ResponseSection, response: Response, body: bytes
    ) -> None:
        """A response that was read whole has passed the hooks of `exchange`: send it."""
        forwarding = self.forwarding
        if forwarding is None:
            return
        forwarding.heard = True
        self.keep = section.keep
        exchange.send(response, section.length)
        if self.forwarding is forwarding:
            exchange.response_data(body)
            self._done(forwarding, [], extra=False)

    def begun(
        self, exchange: Exchange, section: ResponseSection, response: Response, body: bytes
    ) -> None:
        """A response of whose body there is no more than `body` has passed the hooks: send it."""
        forwarding = self.forwarding
        if forwarding is None:
            return
        forwarding.heard = True
        self.midway(section, section.length)
        exchange.send(response, section.length)
        if self.forwarding is forwarding:
            exchange.flush()
            self._go_on_waiting()
            if body:
                self.data_received(body)

    def midway(self, section: ResponseSection, left: int) -> None:
        """Go on with a response whose head, and some of whose body, was read on the fast path.

        `left` bytes are to come; if it is negative, chunks.
        """
        if left < 0:
            self.parser.feed_data(CHUNKED_RESPONSE)
            self.mode, self.head_done = CHUNKED, False
        else:
            self.mode, self.remaining = LENGTH, left
        self.status, self.keep = section.status, section.keep

    def passed(self) -> None:
        """The last of a response was read on the fast path: the connection is free."""
        forwarding = self.forwarding
        if forwarding is not None:
            self._done(forwarding, [], extra=False)
