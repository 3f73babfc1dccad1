"""The usual response, straight through: read whole, written whole.

What is not whole, or not usual, is for the `Exchange` and the `Forwarding` that the request is
promoted to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway._connection import IDLE
from plugbay.gateway._fast_state import END, MOST, FastState
from plugbay.gateway._observed import Observed
from plugbay.gateway._tap import BROKEN
from plugbay.gateway._target_connection import CLOSED
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._wire import Unsendable, status_line
from plugbay.sdk import Response, Timing

if TYPE_CHECKING:
    from plugbay.gateway._chain import Chain
    from plugbay.gateway._response_sections import ResponseSection
    from plugbay.gateway._tap import Tap
    from plugbay.gateway._upstream import Upstream
    from plugbay.sdk import Request

_ID = b"x-request-id: "
_MORE = (b"", b"", b"")
_CLOSE = b"\r\nconnection: close\r\n\r\n"


class FastResponse(FastState):
    """Takes the response to the request that was sent."""

    __slots__ = ()

    def answered(self, upstream: Upstream, data: bytes) -> None:
        """The upstream has sent something."""
        target = upstream.target
        section: ResponseSection | None
        section = last = target.last
        head, end, body = data.partition(END) if len(data) <= MOST else _MORE
        if end and last.head != head:
            section = target.reader.read(head, data, len(body))
            target.last = section or last
        if section is None or not end or section.length != len(body):
            self.promote()
            upstream.data_received(data)
            return
        now = self.now()
        self.upstream_seconds = seconds = now - self.sent
        target.series.note(seconds)
        if target.state.failures:
            target.worked()
        request = self.request
        if request is not None:
            chain, pre = self.way.chain, self.pre
            if (chain is not None and chain.sees_response) or (
                pre is not None and pre.sees_response
            ):
                self._back(request, upstream, section, body)
                return
        self._finish(
            upstream,
            section,
            section.status,
            section.line,
            section.forward,
            section.sized,
            body,
            now,
        )

    def _back(
        self, request: Request, upstream: Upstream, section: ResponseSection, body: bytes
    ) -> None:
        """Pass the response hooks."""
        fields, line = section.fields, section.line
        chain, pre = self.way.chain, self.pre
        self.response = after = response = Response.received(section.status, fields.copy())
        if chain is not None:
            after = chain.on_response(request, after, self.entered)
        if pre is not None:
            after = pre.on_response(request, after, self.pre_entered)
        if after is not response or after.body is not None:
            self._general(upstream, section, after, body)
            return
        status = after.status
        if status != section.status:
            if not _plain(status):
                self._general(upstream, section, after, body)
                return
            line = status_line(status)
        raw, forward = after.headers.raw, section.forward
        if raw != fields:
            try:
                forward = self.plane.added.edited(fields, forward, raw, b"")
            except Unsendable:
                self._general(upstream, section, after, body)
                return
        if body and chain is not None and chain.tap is not None:
            self._tapped(request, upstream, section, after, line, forward, body, chain.tap)
            return
        self._finish(upstream, section, status, line, forward, section.sized, body, self.now())

    def _tapped(
        self,
        request: Request,
        upstream: Upstream,
        section: ResponseSection,
        response: Response,
        line: bytes,
        forward: bytes,
        body: bytes,
        tap: Tap,
    ) -> None:
        """Let the body pass the tap, which may change or keep it."""
        stream, sized = tap.response(request, response), section.sized
        if stream is not None:
            passed = tap.passed(stream, body, request)
            if passed is None:
                self.promote().fail(500, BROKEN)
                return
            if stream.waits:
                exchange = self.promote()
                exchange.stream = stream
                exchange.upstream_seconds = self.upstream_seconds
                upstream.answered(exchange, section, response, b"")
                return
            if len(passed) != len(body):
                sized = b"content-length: %d\r\n" % len(passed)
            body = passed
        self._finish(upstream, section, response.status, line, forward, sized, body, self.now())

    def _general(
        self, upstream: Upstream, section: ResponseSection, response: Response, body: bytes
    ) -> None:
        """Let the general path send what hooks have made of the response."""
        exchange = self.promote()
        exchange.upstream_seconds = self.upstream_seconds
        upstream.answered(exchange, section, response, body)

    def _finish(
        self,
        upstream: Upstream,
        section: ResponseSection,
        status: int,
        line: bytes,
        forward: bytes,
        sized: bytes,
        body: bytes,
        now: float,
    ) -> None:
        """Give the connection back, write the response, count, and let the client go on."""
        target, way, connection, plane = upstream.target, self.way, self.connection, self.plane
        upstream.fast = self.upstream = connection.fast = None
        upstream.deadline = NEVER
        target.pool.in_flight -= 1
        target.state.in_flight -= 1
        if section.keep and not upstream.transport.is_closing():
            target.give_back(upstream)
        else:
            upstream.mode = CLOSED
            upstream.transport.close()
        keep = self.section.keep
        end = END if keep else _CLOSE
        connection.transport.write(b"".join((line, forward, sized, _ID, self.id, end, body)))
        series, seconds, size = way.series, now - self.began, len(body)
        series.in_flight -= 1
        series.note((way.name, status, seconds, len(self.body), size))
        if plane.access is not None:
            plane.access.write_fast(self, status, seconds, size)
        for chain in (way.chain, self.pre):
            if chain is None:
                continue
            if chain.plain:
                chain.inside.discard(self)
                chain.tally.finished += 1
                if chain.ending:
                    chain.emptied()
            else:
                self._leave(chain, seconds, size)
        self.request = self.response = None
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


def _plain(status: int) -> bool:
    """Whether a response with this status has a body and no other meaning."""
    return 200 <= status < 600 and status not in (204, 304)
