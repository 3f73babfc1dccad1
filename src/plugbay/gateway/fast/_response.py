"""The usual response, straight through: read whole and written whole, or passed on read by read.

What is not usual is for the `Exchange` and the `Forwarding` that the request is promoted to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.chain._tap import BROKEN
from plugbay.gateway.fast._body import CLOSE, ID, FastBody
from plugbay.gateway.fast._passing import Passing
from plugbay.gateway.fast._state import END, MOST
from plugbay.gateway.message._wire import Unsendable, status_line
from plugbay.sdk import Response

if TYPE_CHECKING:
    from plugbay.gateway.chain._tap import Tap
    from plugbay.gateway.message._response_sections import ResponseSection
    from plugbay.gateway.upstream._upstream import Upstream
    from plugbay.sdk import Request

_MORE = (b"", b"", b"")


class FastResponse(FastBody):
    """Takes the response to the request that was sent."""

    __slots__ = ()

    def answered(self, upstream: Upstream, data: bytes) -> None:
        """The upstream has sent something."""
        if self.passing is not None:
            self._more(self.passing, upstream, data)
            return
        target = upstream.target
        section: ResponseSection | None
        section = last = target.last
        head, end, body = data.partition(END) if len(data) <= MOST else _MORE
        if end and last.head != head:
            section = target.reader.read(head, data, len(body))
            target.last = section or last
        passing = None
        if section is not None and section.length != len(body):
            passing = Passing(section)
            if section.length > MOST or (body and not passing.take(body)):
                section = None
        if section is None or not end:
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
                self._back(request, upstream, section, body, passing)
                return
        line, forward = section.line, section.forward
        if passing is not None:
            self._pass(passing, upstream, line, forward)
            return
        self._finish(upstream, section, section.status, line, forward, section.sized, body, now)

    def _back(
        self,
        request: Request,
        upstream: Upstream,
        section: ResponseSection,
        body: bytes,
        passing: Passing | None,
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
            self._general(upstream, section, after, body, passing)
            return
        status = after.status
        if status != section.status:
            if not _plain(status):
                self._general(upstream, section, after, body, passing)
                return
            line = status_line(status)
        raw, forward = after.headers.raw, section.forward
        if raw != fields:
            try:
                forward = self.plane.added.edited(fields, forward, raw, b"")
            except Unsendable:
                self._general(upstream, section, after, body, passing)
                return
        tap = None if chain is None or not section.length else chain.tap
        if passing is not None:
            passing.status = status
            if tap is not None:
                passing.tapped(tap.response(request, after))
            self._pass(passing, upstream, line, forward)
        elif tap is not None:
            self._tapped(request, upstream, section, after, line, forward, body, tap)
        else:
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
                self.promote(heard=True).fail(500, BROKEN)
                return
            if stream.waits:
                exchange = self.promote(heard=True)
                exchange.stream = stream
                upstream.answered(exchange, section, response, b"")
                return
            if len(passed) != len(body):
                sized = b"content-length: %d\r\n" % len(passed)
            body = passed
        self._finish(upstream, section, response.status, line, forward, sized, body, self.now())

    def _general(
        self,
        upstream: Upstream,
        section: ResponseSection,
        response: Response,
        body: bytes,
        passing: Passing | None,
    ) -> None:
        """Let the general path send what hooks have made of the response."""
        exchange = self.promote(heard=True)
        if passing is None:
            upstream.answered(exchange, section, response, body)
        else:
            upstream.begun(exchange, section, response, body)

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
        self._release(upstream, section)
        end = END if self.section.keep else CLOSE
        transport = self.connection.transport
        transport.write(b"".join((line, forward, sized, ID, self.id, end, body)))
        self._over(status, now, len(body))


def _plain(status: int) -> bool:
    """Whether a response with this status has a body and no other meaning."""
    return 200 <= status < 600 and status not in (204, 304)
