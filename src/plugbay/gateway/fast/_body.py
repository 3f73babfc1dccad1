"""The end of what is on the fast path: a response body that comes later than its head, and leaving.

What is not usual is for the `Exchange` and the `Forwarding` that the request is promoted to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.chain._observed import Observed
from plugbay.gateway.chain._tap import BROKEN
from plugbay.gateway.fast._state import END, MOST, FastState
from plugbay.gateway.transport._connection import IDLE
from plugbay.gateway.transport._ticker import NEVER
from plugbay.gateway.upstream._target_connection import CLOSED
from plugbay.sdk import Timing

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.fast._passing import Passing
    from plugbay.gateway.message._response_sections import ResponseSection
    from plugbay.gateway.upstream._upstream import Upstream

ID = b"x-request-id: "
CLOSE = b"\r\nconnection: close\r\n\r\n"


class FastBody(FastState):
    """Passes a body on read by read, and counts what is over."""

    __slots__ = ()

    def _pass(self, passing: Passing, upstream: Upstream, line: bytes, forward: bytes) -> None:
        """Write the head, with what has come of the body."""
        end = END if self.section.keep else CLOSE
        head = b"".join((line, forward, passing.framing, ID, self.id, end))
        self._write(passing, upstream, head)

    def _more(self, passing: Passing, upstream: Upstream, data: bytes) -> None:
        """More of the body has come."""
        if len(data) <= MOST and passing.take(data):
            self._write(passing, upstream, b"")
        else:
            self.promote()
            upstream.data_received(data)

    def _write(self, passing: Passing, upstream: Upstream, head: bytes) -> None:
        """Pass on what has been taken of the body."""
        stream, transport = passing.stream, self.connection.transport
        if stream is None:
            passing.size += len(passing.content)
            out = passing.data
        else:
            chain = self.way.chain
            told = passing.out(stream, None if chain is None else chain.tap, self.request)
            if told is None:
                # With a head that was not written the client can be told that the tap has failed.
                self.passing = None if head else passing
                self.promote(heard=True).fail(500, BROKEN)
                return
            out = told
            if stream.waits:
                self.passing = passing
                exchange = self.promote()
                transport.write(head + out)
                passing.go_on(exchange, upstream)
                return
        if passing.over:
            self.passing = None
            self._release(upstream, passing.section)
            transport.write(head + out)
            self._over(passing.status, self.now(), passing.size)
        else:
            self.passing = passing
            target = upstream.target
            upstream.deadline = target.ticker.now + target.idle_span
            transport.write(head + out)

    def _release(self, upstream: Upstream, section: ResponseSection) -> None:
        """Give the connection back: the whole response has come."""
        target = upstream.target
        upstream.fast = self.upstream = self.connection.fast = None
        upstream.deadline = NEVER
        target.pool.in_flight -= 1
        target.state.in_flight -= 1
        if section.keep and not upstream.transport.is_closing():
            target.give_back(upstream)
        else:
            upstream.mode = CLOSED
            upstream.transport.close()

    def _over(self, status: int, now: float, size: int) -> None:
        """The response is written: count it, and let the client go on."""
        way, connection, plane = self.way, self.connection, self.plane
        series, seconds = way.series, now - self.began
        series.in_flight -= 1
        series.note((way.name, status, seconds, len(self.body), size))
        if plane.access is not None:
            plane.access.write_fast(self, status, seconds, size)
        if (chain := way.chain) is not None:
            if chain.plain:
                chain.inside.discard(self)
                chain.tally.finished += 1
                if chain.ending:
                    chain.emptied()
            else:
                self._leave(chain, seconds, size)
        if self.pre is not None:
            self._leave(self.pre, seconds, size)
        self.request = self.response = None
        keep = self.section.keep
        if keep and connection.writable and not (connection.backlog or connection.paused):
            connection.mode = IDLE
            connection.total = NEVER
            connection.deadline = plane.ticker.now + plane.idle_span
        else:
            connection.response_done(keep)

    def _leave(self, chain: Chain, seconds: float, size: int) -> None:
        """Leave a chain; if it has observers, let them be told soon, who leave it then."""
        request, response = self.request, self.response
        if not chain.observers or request is None or response is None:
            chain.leave(self)
            return
        timing = Timing(
            seconds, self.upstream_seconds, self.plugin_seconds, len(self.body), size, "ok"
        )
        done = Observed(request, response, timing)
        chain.inside.discard(self)
        chain.inside.add(done)
        self.plane.observers.put(chain, done)
