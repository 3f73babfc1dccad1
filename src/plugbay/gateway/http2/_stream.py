"""A stream: the client of one exchange, with windows of its own both ways.

To its exchange it is what a connection is in HTTP/1.1, and the transport of the response. A body
that nobody takes lets the client's window run out; other streams do not notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.errors import ErrorCodes

from plugbay.gateway.http2._machine import STREAM_WINDOW
from plugbay.gateway.http2._outgoing import Outgoing
from plugbay.gateway.message._trailers import safe_trailers
from plugbay.gateway.transport._connection import CLOSED
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    import asyncio

    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.http2._connection import Http2Connection
    from plugbay.gateway.message._wire import Fields


class ClientStream(Outgoing):
    """One stream that a client has opened."""

    __slots__ = (
        "_early",
        "_late",
        "_paused",
        "_total",
        "_unacknowledged",
        "_uncredited",
        "peer",
        "receiving",
        "scheme",
        "tunnelling",
    )

    def __init__(self, connection: Http2Connection, id: int, *, receiving: bool) -> None:
        super().__init__(connection, id)
        self.peer, self.scheme = connection.peer, connection.scheme
        self.receiving = receiving
        """Whether the client may send more."""
        self.tunnelling = False
        self._early: list[bytes] = []
        """What came for a tunnel that is not open yet; not acknowledged, so it is little."""
        self._paused = self._unacknowledged = self._uncredited = 0
        self._late = self._total = NEVER

    def serve(self, exchange: Exchange) -> None:
        """Be the client of this exchange."""
        self.exchange = exchange
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
        self.abort()

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

    # --- what the client sends

    def received(self, data: bytes, size: int) -> None:
        """Take bytes of the request's body, which count `size` in the windows."""
        exchange = self.exchange
        bodiless = exchange is None or not (exchange.head.length or self.tunnelling)
        if exchange is None or (bodiless and not exchange.head.upgrade):
            # What its route does not take for a tunnel must not stand behind the request, where
            # the upstream would read another one. The stream's window stays: it is to send no more.
            self.connection.consumed(size)
            return
        self._unacknowledged += size
        if bodiless:
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
            if self.connection.is_stalled(self):
                self.connection.stalled(self)
                return
            self._await_window()
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
        exchange = self.exchange
        if self.receiving and exchange is not None and exchange.head.length:
            self._late = self.plane.ticker.after(self.plane.limits.body_timeout)
            self.connection.note(self._late)
