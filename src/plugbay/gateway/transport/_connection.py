"""A client's connection: its deadlines, back-pressure, and how it ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

from plugbay.gateway.message._framing import BACKLOG, HANDLER, Cutter
from plugbay.gateway.message._problem import last_words
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.fast._exchange import FastExchange
    from plugbay.gateway.message._wire import Fields

IDLE, HEAD, LENGTH, CHUNKED, WAITING, TUNNEL, DISCARD, CLOSED = range(8)
"""Between requests; in a head; in a body; the request is complete; switched; ending; over."""

WRITE_HIGH = 64 * 1024
WRITE_LOW = 16 * 1024
"""What may wait in a transport, behind the megabytes that wait in its socket: who keeps a
connection busy is not held up, and who does not read costs little memory."""
DISCARDED = 1024 * 1024
"""How much of an upload is read and thrown away after an early response, to keep the connection
or at least to let the client read the response before a reset destroys it."""
LINGER = 2.0


class Connection(asyncio.Protocol):
    """One connection from a client. `Downstream` adds what its bytes mean."""

    __slots__ = (
        "backlog",
        "bulk",
        "cutter",
        "deadline",
        "discarded",
        "exchange",
        "fast",
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
        "special",
        "total",
        "transport",
        "unsent",
        "url",
        "usual",
        "writable",
    )

    transport: asyncio.Transport

    def __init__(self, plane: HttpDataPlane, scheme: bytes) -> None:
        self.plane = plane
        self.scheme = scheme
        self.peer = ""
        self.local: tuple[str, int] = ("", 0)
        self.cutter = Cutter()
        self.parser: Any = None
        self.mode = IDLE
        self.exchange: Exchange | None = None
        self.fast: FastExchange | None = None
        """The request in flight instead, if it is on the fast path."""
        self.url: bytes = b""
        self.raw: Fields = []
        self.special: Fields = []
        self.pieces: list[bytes] = []
        self.backlog: list[bytes] = []
        self.head_bytes = self.remaining = self.discarded = self.paused = self.unsent = 0
        self.head_done = self.message_done = self.keep = self.feeding = self.spaced = False
        self.usual = False
        """Whether the head came in one piece and is HTTP/1.1."""
        self.writable = True
        self.bulk = False
        """Whether a `BulkReader` reads for it now."""
        self.deadline = self.total = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = stream = cast("asyncio.Transport", transport)
        plane = self.plane
        self.peer = plane.opened(self, stream)
        self.deadline = plane.ticker.now + plane.idle_span
        if plane.crowded:
            self.refuse(503, "too many connections")

    def current(self) -> Exchange | None:
        """Return the exchange that goes on, a full one from now on: something happens to it."""
        if self.fast is not None:
            self.fast.promote()
        return self.exchange

    def in_flight(self) -> Sequence[Exchange]:
        """Return the exchange that goes on, if there is one."""
        exchange = self.current()
        return () if exchange is None else (exchange,)

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self.current()
        self.mode = CLOSED
        self.deadline = self.total = NEVER
        self.plane.closed(self)
        self.backlog.clear()
        self.exchange = None
        if exchange is not None:
            exchange.client_gone()
        self.parser = None

    def pause_writing(self) -> None:
        self.writable = False
        self.unsent = self.transport.get_write_buffer_size()
        self.deadline = self.plane.ticker.after(self.plane.limits.body_timeout)
        exchange = self.current()
        if exchange is not None:
            exchange.pause_response()

    def resume_writing(self) -> None:
        self.writable = True
        if self.mode == WAITING:
            self.deadline = NEVER
        elif self.mode == TUNNEL:
            self.tunnelled()
        if self.exchange is not None:
            self.exchange.resume_response()
        elif self.mode == IDLE and self.backlog:
            self.take_backlog()

    def tunnelled(self) -> None:
        """Bytes have gone through the tunnel: its idle time begins again."""
        if self.mode == TUNNEL and self.writable:
            self.deadline = self.plane.ticker.now + self.plane.tunnel_span

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
        """The deadline has passed: of head, body, idle time, tunnel, or a slow reader."""
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
        elif self.mode == TUNNEL and self.exchange is not None:
            self.exchange.break_off()
        elif self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()
            self.deadline = self.plane.ticker.after(LINGER)

    def expire_total(self) -> None:
        """The route's time for the whole exchange is over."""
        self.total = NEVER
        exchange = self.current()
        if exchange is not None:
            exchange.late()

    def take_backlog(self) -> None:
        """Go on with the bytes that were kept waiting."""
        raise NotImplementedError

    # --- the end

    def refuse(self, status: int, detail: str) -> None:
        """Answer outside of any exchange, and end the connection."""
        self.plane.stats.refused += 1
        self.transport.write(last_words(status, detail))
        self.close_gently()

    def discard(self, size: int) -> None:
        """Throw away bytes of a body that nobody takes, within bounds."""
        self.discarded += size
        if self.discarded > DISCARDED:
            if self.mode == DISCARD:
                self.transport.abort()
            else:
                self.close_gently()

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
        if self.mode == CLOSED:
            return
        # Also if the client has gone: what stands behind a refused head must not be read as one.
        self.mode = DISCARD
        if self.transport.is_closing():
            return
        self.deadline = self.plane.ticker.after(LINGER)
        if waiting or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.discarded = 0
        self.resume(BACKLOG)
        self.resume(HANDLER)
