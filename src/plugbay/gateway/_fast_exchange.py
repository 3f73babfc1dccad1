"""The usual request, straight through: read whole, sent whole, answered whole.

A request takes this path if it lies in one read with its small body, its route goes to an
upstream that has a connection to spare, and the chain's hooks are plain functions. Then it costs
no task, no timer, and hardly an object: a connection has one fast exchange and uses it again.

There is one state in which it waits, for the response. Whatever else happens in it, or comes out
of a hook, is not handled here: the request is promoted, as it stands, to the `Exchange` and the
`Forwarding` that it would have been, and they go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway._connection import IDLE, WAITING
from plugbay.gateway._promotion import promote
from plugbay.gateway._sections import Section
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._upstream import CLOSED, HEAD, SPARE
from plugbay.gateway._wire import FRAMING, Unsendable, lines, status_line
from plugbay.sdk import Request, Response

if TYPE_CHECKING:
    from plugbay.gateway._chain import Chain
    from plugbay.gateway._downstream import Downstream
    from plugbay.gateway._exchange import Exchange
    from plugbay.gateway._pool import TargetPool
    from plugbay.gateway._response_sections import ResponseSection
    from plugbay.gateway._upstream import Upstream
    from plugbay.gateway._ways import Way
    from plugbay.gateway._wire import Fields

MOST = 16 * 1024
"""Up to this size of a read, copying costs less than to look twice."""
_HTTP, _HTTPS = "http", "https"
_OWN = b"via: 1.1 plugbay\r\nx-request-id: "
_ID = b"x-request-id: "
_END = b"\r\n\r\n"
_CLOSE = b"\r\nconnection: close\r\n\r\n"


class FastExchange:
    """The request of a connection that is on the fast path, if one is."""

    __slots__ = (
        "began",
        "body",
        "connection",
        "entered",
        "id",
        "keep",
        "line",
        "peer",
        "plane",
        "plugin_seconds",
        "request",
        "scheme",
        "section",
        "sent",
        "upstream",
        "upstream_seconds",
        "way",
    )

    cancelled = False
    """An attribute of those that leave a chain; what was cancelled is promoted before."""

    way: Way
    keep: bool
    line: bytes
    body: bytes
    id: bytes
    began: float
    sent: float
    entered: int
    plugin_seconds: float

    def __init__(self, connection: Downstream) -> None:
        self.connection = connection
        self.plane = connection.plane
        self.peer = connection.peer
        self.scheme = _HTTPS if connection.scheme == b"https" else _HTTP
        self.section = Section(b"")  # no request has the length that it says
        self.request: Request | None = None
        self.upstream: Upstream | None = None

    # --- the request

    def take(self, data: bytes) -> bool:
        """Take a read of an idle connection; False leaves it, untouched, to the general path."""
        ways = self.plane.ways
        head, end, body = data.partition(_END)
        if not end or ways is None:
            return False
        line, _, block = head.partition(b"\r\n")
        section = self.section
        if section.block != block:
            read = self._read(data, block, len(body))
            if read is None:
                return False
            section = read
        if section.length != len(body):
            return False
        way = ways[line, section.host]
        if way is None or (body and len(body) > (way.route.max_body or self.plane.most)):
            return False
        chain = way.route.chain
        if chain is None:
            self._begin(way, section.keep, line, body)
            self._send(section, line, section.forward)
        elif chain.fast and (section.sized or not way.wants_length):
            self._begin(way, section.keep, line, body)
            self._through(chain, section, way)
        else:
            return False
        return True

    def _read(self, data: bytes, block: bytes, size: int) -> Section | None:
        """Read another header section; it is kept, for the next request has it probably too."""
        connection = self.connection
        read = self.plane.sections.read(data, block, size, connection.peer, connection.scheme)
        if read is not None:
            self.section = read
        return read

    def _begin(self, way: Way, keep: bool, line: bytes, body: bytes) -> None:
        plane, connection = self.plane, self.connection
        connection.mode = WAITING
        connection.fast = self
        connection.deadline = NEVER
        self.began = plane.monotonic()
        self.id = plane.next_id()
        self.way = way
        self.keep = keep
        self.line = line
        self.body = body
        self.plugin_seconds = 0.0
        self.entered = 0
        route = way.route
        route.series.in_flight += 1
        if route.total_timeout:
            connection.total = plane.ticker.after(route.total_timeout)

    def _through(self, chain: Chain, section: Section, way: Way) -> None:
        """Pass the request hooks."""
        chain.tally.entered += 1
        chain.inside.add(self)
        fields = section.fields
        raw = fields.copy()
        self.request = request = Request.received(
            way.name,
            way.target,
            raw,
            section.authority,
            self.scheme,
            section.client,
            self.id.decode(),
            "1.1",
            None,
        )
        request.route = way.route.name
        answer = chain.on_request(request, self)
        if answer is not None:
            self.promote().answer(answer)
            return
        line, forward = self.line, section.forward
        try:
            if request.method is not way.name:
                self._general()
                return
            if request.target is not way.target:
                line = b"%b %b HTTP/1.1" % (way.method, request.target)
            raw = request.headers.raw
            if raw != fields:
                forward = _edited(fields, forward, raw, section.sized)
        except Unsendable:
            self._general()  # which tells what is wrong
            return
        self._send(section, line, forward)

    def _send(self, section: Section, line: bytes, forward: bytes) -> None:
        """Send the request to a spare connection, if there is one."""
        way = self.way
        pool = way.pool
        limit = pool.max_requests
        if limit and pool.in_flight >= limit:
            self._general()
            return
        target = pool.single or pool.pick(b"", ())
        spare = target.spare
        if not spare or spare[-1].transport.is_closing():
            self._general(target)
            return
        pool.in_flight += 1
        pool.admitted += 1
        target.state.in_flight += 1
        target.series.requests += 1
        upstream = spare.pop()
        target.busy.add(upstream)
        upstream.fast = self
        upstream.mode = HEAD
        upstream.bodiless = False
        upstream.served += 1
        upstream.deadline = target.ticker.now + target.response_span
        self.upstream = upstream
        self.sent = self.plane.monotonic()
        upstream.transport.write(b"".join((line, b"\r\n", forward, _OWN, self.id, _END, self.body)))

    def _general(self, target: TargetPool | None = None) -> None:
        """Let the general path do what comes behind the request hooks."""
        self.way.handler.start(self.promote(), target)

    # --- the response

    def answered(self, upstream: Upstream, data: bytes) -> None:
        """The upstream has sent something."""
        target = upstream.target
        found = target.reader.read(data) if len(data) <= MOST else None
        if found is None or self.plane.draining:
            self.promote()
            upstream.data_received(data)
            return
        section, body = found
        now = self.plane.monotonic()
        self.upstream_seconds = seconds = now - self.sent
        target.series.duration.observe(seconds)
        if target.state.failures:
            target.worked()
        chain = self.way.route.chain
        request = self.request
        if chain is None or request is None or not chain.sees_response:
            forward = section.forward
            self._finish(upstream, target, section, section.status, forward, body)
        else:
            self._back(chain, request, upstream, section, body)

    def _back(
        self,
        chain: Chain,
        request: Request,
        upstream: Upstream,
        section: ResponseSection,
        body: bytes,
    ) -> None:
        """Pass the response hooks."""
        fields, forward = section.fields, section.forward
        response = Response.received(section.status, fields.copy())
        after = chain.on_response(request, response, self.entered)
        raw = after.headers.raw
        if after is not response or after.body is not None or not _plain(after.status):
            self._unusual(upstream, section, after, body)
            return
        try:
            if raw != fields:
                forward = _edited(fields, forward, raw, b"")
        except Unsendable:
            self._unusual(upstream, section, after, body)
            return
        self._finish(upstream, upstream.target, section, after.status, forward, body)

    def _unusual(
        self, upstream: Upstream, section: ResponseSection, response: Response, body: bytes
    ) -> None:
        """A plugin has made another response of it."""
        exchange = self.promote()
        exchange.upstream_seconds = self.upstream_seconds
        upstream.answered(exchange, section, response, body)

    def _finish(
        self,
        upstream: Upstream,
        target: TargetPool,
        section: ResponseSection,
        status: int,
        forward: bytes,
        body: bytes,
    ) -> None:
        """Give the connection back, write the response, and be over."""
        upstream.fast = None
        upstream.deadline = NEVER
        pool = target.pool
        pool.in_flight -= 1
        target.state.in_flight -= 1
        if section.keep and not upstream.transport.is_closing():
            upstream.mode = SPARE
            target.give_back(upstream)
        else:
            upstream.mode = CLOSED
            upstream.transport.close()
        self._write(status, forward + section.sized, body)
        self._over(status, len(body))

    def _write(self, status: int, forward: bytes, body: bytes) -> None:
        connection = self.connection
        connection.fast = None
        end = _END if self.keep else _CLOSE
        connection.transport.write(
            b"".join((status_line(status), forward, _ID, self.id, end, body))
        )

    def _over(self, status: int, size: int) -> None:
        """Count, leave the chain, and let the connection go on."""
        plane, connection, way = self.plane, self.connection, self.way
        route = way.route
        series = route.series
        series.in_flight -= 1
        seconds = plane.monotonic() - self.began
        series.count(way.name, status, seconds, len(self.body), size)
        if plane.access is not None:
            plane.access.write_fast(self, status, seconds, size)
        if route.chain is not None:
            route.chain.leave(self)
            self.request = None
        self.upstream = None
        if self.keep and connection.writable and not (connection.backlog or connection.paused):
            connection.mode = IDLE
            connection.total = NEVER
            connection.deadline = plane.ticker.now + plane.idle_span
        else:
            connection.response_done(self.keep)

    # --- what is not usual

    def promote(self) -> Exchange:
        """Go on as a full exchange."""
        exchange = promote(self)
        self.request = self.upstream = None
        return exchange

    def cancel(self) -> None:
        """The drain deadline is over."""
        self.promote().cancel()


def _edited(fields: Fields, forward: bytes, raw: Fields, sized: bytes) -> bytes:
    """Return the lines of `raw`, which was `fields`, whose lines are `forward`, until hooks came.

    Most only add fields. Framing is not theirs: `sized` is what there is of it. Raises
    `Unsendable`.
    """
    count = len(fields)
    if raw[:count] == fields:
        added = raw[count:]
        if not any(name in FRAMING for name, _ in added):
            return forward + lines(added)
    return lines([field for field in raw if field[0] not in FRAMING]) + sized


def _plain(status: int) -> bool:
    """Whether a response with this status has a body and no other meaning."""
    return 200 <= status < 600 and status not in (204, 304)
