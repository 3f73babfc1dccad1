"""A connection to an upstream's target: its deadlines, back-pressure, and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httptools

from plugbay.gateway.message._framing import Cutter
from plugbay.gateway.message._keep_alive import keep_alive
from plugbay.gateway.transport._connection import WRITE_HIGH, WRITE_LOW
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from plugbay.gateway.exchange._forwarding import Forwarding
    from plugbay.gateway.fast._exchange import FastExchange
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.upstream._target_pool import TargetPool

SPARE, HEAD, LENGTH, CHUNKED, UNTIL_END, TUNNEL, CLOSED = range(7)


class TargetConnection(asyncio.Protocol):
    """One connection to a target. `Upstream` adds what its bytes mean."""

    __slots__ = (
        "bodiless",
        "bulk",
        "corked",
        "cutter",
        "deadline",
        "fast",
        "fields",
        "forwarding",
        "head_bytes",
        "head_done",
        "interim",
        "keep",
        "message_done",
        "mode",
        "parser",
        "paused",
        "pieces",
        "raw",
        "raw_special",
        "remaining",
        "served",
        "since",
        "skip",
        "spaced",
        "special",
        "status",
        "target",
        "transport",
        "writable",
    )

    transport: asyncio.Transport

    def __init__(self, target: TargetPool) -> None:
        self.target = target
        self.parser: Any = httptools.HttpResponseParser(self)
        self.cutter = Cutter()
        self.forwarding: Forwarding | None = None
        self.fast: FastExchange | None = None
        """Who waits for a response instead, if it may be one that lies in one read."""
        self.raw: Fields = []
        self.raw_special: Fields = []
        self.fields: Fields = []
        self.special: Fields = []
        self.pieces: list[bytes] = []
        self.interim: list[tuple[int, Fields, Fields]] = []
        self.mode = SPARE
        self.status = self.remaining = self.head_bytes = self.served = 0
        self.bulk = self.corked = False
        self.keep = self.head_done = self.message_done = self.bodiless = self.skip = self.spaced = (
            False
        )
        self.writable = True
        self.paused = False
        self.deadline = NEVER
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)

    def _promote(self) -> None:
        """Something unusual happens: a fast exchange becomes a full one."""
        if self.fast is not None:
            self.fast.promote()

    def pause_writing(self) -> None:
        self._promote()
        self.writable = False
        self.deadline = self.target.idle_deadline()
        if self.forwarding is not None:
            self.forwarding.upstream_full()

    def resume_writing(self) -> None:
        self.writable = True
        if self.forwarding is not None:
            if not self.forwarding.request_sent:
                self.deadline = NEVER  # it is the client's turn, whose own time-outs hold
            self.forwarding.upstream_ready()

    def pause(self) -> None:
        """Stop reading: the client does not keep up, which is not the upstream's fault."""
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.deadline = NEVER
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.paused and not self.transport.is_closing():
            self.paused = False
            if self.mode != TUNNEL and self.forwarding is not None:
                sent = self.forwarding.request_sent
                self.deadline = self.target.idle_deadline() if sent else NEVER
            self.transport.resume_reading()

    def expire(self) -> None:
        """The deadline has passed."""
        self._promote()
        if self.forwarding is not None:
            self.forwarding.timed_out()

    def serve(self, forwarding: Forwarding, bodiless: bool) -> None:
        """Begin an exchange; `bodiless`: the request is HEAD."""
        self.forwarding = forwarding
        self.bodiless = bodiless
        self.mode = HEAD
        self.served += 1

    def abandon(self) -> None:
        """End an exchange before its time: such a connection is never used again."""
        self.forwarding = None
        self.mode = CLOSED
        self.deadline = NEVER
        self.transport.abort()

    def tunnel(self) -> None:
        """From now on bytes are passed on as they are."""
        self.mode = TUNNEL
        self.deadline = NEVER
        keep_alive(self.transport)

    def _go_on_waiting(self) -> None:
        """Bytes have come: the time for the next ones begins."""
        waits = self.forwarding is not None and self.forwarding.request_sent
        if waits and not self.paused and self.mode != TUNNEL:
            self.deadline = self.target.idle_deadline()

    def resume_spare(self) -> None:
        """A spare connection must be read, or its end would go unnoticed."""
        self.paused = False
        self.transport.resume_reading()
