"""A client's connection: it frames requests, one at a time and in order, and takes the answers.

A pipelined request waits, unparsed, until the response before it is out. What waits is bounded:
reading is paused meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httptools

from plugbay.gateway.downstream._reading import Reading
from plugbay.gateway.exchange._exchange import Exchange
from plugbay.gateway.fast._exchange import FastExchange
from plugbay.gateway.fast._state import MOST
from plugbay.gateway.message._framing import BACKLOG, CHUNKED_PREAMBLE, HANDLER
from plugbay.gateway.message._keep_alive import keep_alive
from plugbay.gateway.message._trailers import safe_trailers
from plugbay.gateway.transport._bulk import WORTH, BulkReader
from plugbay.gateway.transport._connection import (
    CHUNKED,
    CLOSED,
    DISCARDED,
    HEAD,
    IDLE,
    LENGTH,
    TUNNEL,
    WAITING,
)
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.message._request_head import RequestHead
    from plugbay.gateway.message._wire import Fields


MOMENT = 0.002
"""Seconds within which the body follows that was written right behind its head."""


class Downstream(Reading):
    """What the bytes of a client's connection mean."""

    __slots__ = ("_begun", "_express", "_late")

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        super().__init__(plane, scheme)
        self._express = FastExchange(self)
        self._begun = b""
        """A head whose small body is awaited for a moment: many clients write them apart."""
        self._late: asyncio.TimerHandle | None = None

    # --- bytes in

    def data_received(self, data: bytes) -> None:
        if self._begun:
            data = self._taken() + data
        if (
            not (self.mode or self.head_bytes or self.backlog)
            and self.writable
            and len(data) <= MOST
            and self._express.take(data)
        ):
            return
        if self._begun:
            return
        if self.backlog:
            self.backlog.append(data)
        else:
            self._process(data)

    def await_body(self, head: bytes) -> None:
        """Keep a head for the moment in which its body may come, which makes it a usual request."""
        self._begun = head
        self.deadline = NEVER
        self._late = asyncio.get_running_loop().call_later(MOMENT, self._go_on_alone)

    def _taken(self) -> bytes:
        """Return the head that was kept, and keep it no longer."""
        head, self._begun = self._begun, b""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        return head

    def _go_on_alone(self) -> None:
        """Its body has not come at once: the general path takes it as it comes."""
        if self._begun:
            head = self._taken()
            if self.mode == IDLE:
                self._process(head)

    def end_if_idle(self) -> None:
        self._go_on_alone()
        super().end_if_idle()

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
                data = self.begin_head(data)
            elif mode == HEAD:
                data = self.feed(data)
            elif mode == CHUNKED:
                data = self.feed_chunks(data)
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

    def begin_exchange(self, head: RequestHead) -> None:
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

    def chunks_fed(self, size: int) -> None:
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
            self.malformed()

    def _request_done(self, trailers: Fields) -> None:
        if self.exchange is None:
            self._next()
            return
        self.mode = WAITING
        if self.writable:
            self.deadline = NEVER
        self.exchange.request_end(trailers)

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
