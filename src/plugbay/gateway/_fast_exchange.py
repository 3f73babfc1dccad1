"""The usual request, straight through: read whole, sent whole, answered whole.

A request takes this path if it lies in one read with its small body, its route goes to an
upstream that has a connection to spare, and the chain's hooks are plain functions. Then it costs
no task, no timer, and hardly an object: a connection has one fast exchange and uses it again.

There is one state in which it waits, for the response. Whatever else happens in it, or comes out
of a hook, is not handled here: the request is promoted, as it stands, to the `Exchange` and the
`Forwarding` that it would have been, and they go on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from plugbay.gateway._body import BodyBroken
from plugbay.gateway._connection import IDLE, WAITING
from plugbay.gateway._observed import Observed
from plugbay.gateway._promotion import promote
from plugbay.gateway._sections import Section
from plugbay.gateway._tap import BROKEN, LATER
from plugbay.gateway._target_connection import CLOSED
from plugbay.gateway._ticker import NEVER
from plugbay.gateway._wire import Unsendable, resized, status_line
from plugbay.sdk import Request, Response, Timing

if TYPE_CHECKING:
    from plugbay.gateway._chain import Chain
    from plugbay.gateway._downstream import Downstream
    from plugbay.gateway._exchange import Exchange
    from plugbay.gateway._pool import TargetPool
    from plugbay.gateway._response_sections import ResponseSection
    from plugbay.gateway._tap import Stream, Tap
    from plugbay.gateway._upstream import Upstream
    from plugbay.gateway._ways import Way

MOST = 16 * 1024
"""Up to this size of a read, copying costs less than to look twice."""
_HTTP, _HTTPS = "http", "https"
_OWN = b"via: 1.1 plugbay\r\nx-request-id: "
_ID = b"x-request-id: "
_MORE = (b"", b"", b"")
_LINE_END = b"\r\n"
_END = b"\r\n\r\n"
_CLOSE = b"\r\nconnection: close\r\n\r\n"
_NOTHING = Section(b"")
"""What no request says: none is so long."""


class FastExchange:
    """The request of a connection that is on the fast path, if one is."""

    __slots__ = (
        "asked",
        "began",
        "body",
        "connection",
        "entered",
        "id",
        "now",
        "plane",
        "plugin_seconds",
        "pre",
        "pre_entered",
        "request",
        "response",
        "routed",
        "scheme",
        "section",
        "sent",
        "upstream",
        "upstream_seconds",
        "way",
    )

    cancelled = False
    """An attribute of those that leave a chain; what was cancelled is promoted before."""

    asked: Way
    """What the client's request line comes to."""
    way: Way
    """The same, unless a plugin has changed the target before there was a route."""
    pre: Chain | None
    body: bytes
    id: bytes
    began: float
    sent: float
    upstream_seconds: float
    entered: int
    pre_entered: int
    plugin_seconds: float

    def __init__(self, connection: Downstream) -> None:
        self.connection = connection
        self.plane = connection.plane
        self.now = connection.plane.monotonic
        self.scheme = _HTTPS if connection.scheme == b"https" else _HTTP
        self.section = _NOTHING
        self.request: Request | None = None
        self.response: Response | None = None
        self.upstream: Upstream | None = None
        self.routed = True
        """False while the plugins run that run before there is a route."""

    # --- the request

    def take(self, data: bytes) -> bool:
        """Take a read of an idle connection; False leaves it, untouched, to the general path."""
        plane, section = self.plane, self.section
        head, end, body = data.partition(_END)
        ways = plane.ways
        if not end or ways is None:
            return False
        line, _, block = head.partition(_LINE_END)
        if section.block != block:
            read = self._read(data, block, len(body))
            if read is None:
                return False
            section = read
        if section.length != len(body):
            return False
        way = ways[line, section.host]
        if way is None or (body and len(body) > (way.route.max_body or plane.most)):
            return False
        chain, pre = way.chain, ways.pre
        if chain is not None and not (chain.fast and (section.sized or not way.wants_length)):
            return False
        if pre is not None and not (pre.fast and (section.sized or not way.wants_length)):
            return False
        connection = self.connection
        connection.mode = WAITING
        connection.fast = self
        connection.deadline = NEVER
        self.began = self.now()
        self.id = plane.next_id()
        self.asked = self.way = way
        self.pre = pre
        self.body = body
        self.plugin_seconds = 0.0
        self.entered = 0
        if pre is not None:
            found = self._before(pre, section, way)
            if found is None:
                return True
            self.way = way = found
            chain = way.chain
        way.series.in_flight += 1
        if way.route.total_timeout:
            connection.total = plane.ticker.after(way.route.total_timeout)
        if chain is None and pre is None:
            self._send(way, line, section.forward)
        else:
            self._through(chain, section, way, line)
        return True

    def _read(self, data: bytes, block: bytes, size: int) -> Section | None:
        """Read another header section; it is kept, for the next request has it probably too."""
        connection = self.connection
        read = self.plane.sections.read(data, block, size, connection.peer, connection.scheme)
        if read is not None:
            self.section = read
        return read

    def _before(self, pre: Chain, section: Section, way: Way) -> Way | None:
        """Pass the request hooks before the match, and find the way; None: it is promoted."""
        pre.tally.entered += 1
        pre.inside.add(self)
        self.routed = False
        request = self.received(section, way)
        answer = pre.on_request(request, self)
        self.pre_entered, self.entered = self.entered, 0
        if answer is not None:
            self.promote().answer(answer)
            return None
        found: Way | None = way
        if request.method is not way.name:
            found = None
        elif request.target is not way.target:
            found = self._elsewhere(section, way, request.target)
        if found is None:
            exchange = self.promote()
            exchange.dispatch()
            _count_body(exchange)
        else:
            self.routed = True
        return found

    def _elsewhere(self, section: Section, way: Way, target: bytes) -> Way | None:
        """Return the way that a request has got by another target, if it is a fast one."""
        ways, size = self.plane.ways, len(self.body)
        if ways is None:
            return None
        found = ways[b"%b %b HTTP/1.1" % (way.method, target), section.host]
        if found is None or (size and size > (found.route.max_body or self.plane.most)):
            return None
        return found if found.chain is None or found.chain.fast else None

    def received(self, section: Section, way: Way) -> Request:
        """Make the request as hooks see it."""
        self.request = request = Request.received(
            way.name,
            way.target,
            section.fields.copy(),
            section.authority,
            self.scheme,
            section.client,
            self.id.decode(),
            "1.1",
            partial(self._read_body, self.id) if self.body else None,
        )
        return request

    async def _read_body(self, id: bytes, limit: int) -> bytes:
        """Read the body for a coroutine hook: by then the request has been promoted.

        Raises `BodyBroken` if it is over: the connection may have another one.
        """
        exchange = self.connection.exchange
        if exchange is None or exchange.id != id:
            raise BodyBroken("the request is over")
        return await exchange.read(limit)

    def _through(self, chain: Chain | None, section: Section, way: Way, line: bytes) -> None:
        """Pass the request hooks of the route, and send what they all have made of the request."""
        request = self.request or self.received(section, way)
        request.route = way.route.name
        if chain is not None:
            chain.tally.entered += 1
            chain.inside.add(self)
            answer = chain.on_request(request, self)
            if answer is not None:
                self.promote().answer(answer)
                return
        body: bytes | None = None
        if chain is not None and chain.tap is not None:
            answer = chain.tap.request(request, self.body, self)
            if answer is LATER:
                self._wait(chain, chain.tap)
                return
            if isinstance(answer, bytes):
                body = answer
            elif answer is not None:
                self.promote().answer(answer)
                return
        fields, forward = section.fields, section.forward
        try:
            if request.method is not way.name:
                self._general()
                return
            target = request.target
            if target is not way.target:
                line = b"%b %b HTTP/1.1" % (way.method, target)
            raw = request.headers.raw
            if body is not None:
                forward = resized(raw, len(body))
            elif raw != fields:
                forward = self.plane.added.edited(fields, forward, raw, section.sized)
        except Unsendable:
            self._general()  # which tells what is wrong
            return
        self._send(way, line, forward, body)

    def _wait(self, chain: Chain, tap: Tap) -> None:
        """Let the tap go on in a task."""
        exchange = self.promote()
        exchange.later(chain, tap)
        _count_body(exchange)

    def _send(self, way: Way, line: bytes, forward: bytes, body: bytes | None = None) -> None:
        """Send the request to a spare connection, if there is one; maybe with another body."""
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
        self.upstream = upstream = spare.pop()
        upstream.fast = self
        upstream.served += 1
        upstream.deadline = target.ticker.now + target.response_span
        # Without another look at the clock: nothing but the hooks has taken time.
        self.sent = self.began + self.plugin_seconds
        upstream.transport.write(
            b"".join(
                (line, _LINE_END, forward, _OWN, self.id, _END, self.body if body is None else body)
            )
        )

    def _general(self, target: TargetPool | None = None) -> None:
        """Let the general path do what comes behind the request hooks."""
        exchange = self.promote()
        self.way.handler.start(exchange, target)
        _count_body(exchange)

    # --- the response

    def answered(self, upstream: Upstream, data: bytes) -> None:
        """The upstream has sent something."""
        target = upstream.target
        section: ResponseSection | None
        section = last = target.last
        head, end, body = data.partition(_END) if len(data) <= MOST else _MORE
        if end and last.head != head:
            section = target.reader.read(head, data, len(body))
            target.last = section or last
        if section is None or not end or section.length != len(body) or self.plane.draining:
            self.promote()
            upstream.data_received(data)
            return
        now = self.now()
        self.upstream_seconds = seconds = now - self.sent
        target.series.note(seconds)
        if target.state.failures:
            target.worked()
        chain, pre, request = self.way.chain, self.pre, self.request
        if request is not None and (
            (chain is not None and chain.sees_response) or (pre is not None and pre.sees_response)
        ):
            self._back(request, upstream, section, body)
        else:
            self._finish(upstream, section, section.status, section.forward, body, now)

    def _back(
        self, request: Request, upstream: Upstream, section: ResponseSection, body: bytes
    ) -> None:
        """Pass the response hooks."""
        fields, forward = section.fields, section.forward
        chain, pre = self.way.chain, self.pre
        self.response = after = response = Response.received(section.status, fields.copy())
        if chain is not None:
            after = chain.on_response(request, after, self.entered)
        if pre is not None:
            after = pre.on_response(request, after, self.pre_entered)
        status = after.status
        stream: Stream | None = None
        if after is response and after.body is None and _plain(status):
            raw = after.headers.raw
            try:
                if raw != fields:
                    forward = self.plane.added.edited(fields, forward, raw, b"")
            except Unsendable:
                pass
            else:
                tap = None if chain is None or not body else chain.tap
                stream = None if tap is None else tap.response(request, after)
                passed = (
                    body if tap is None or stream is None else tap.passed(stream, body, request)
                )
                if passed is None:
                    self.promote().fail(500, BROKEN)
                    return
                if stream is None or not stream.waits:
                    self._finish(upstream, section, status, forward, passed, self.now())
                    return
                body = b""
        exchange = self.promote()
        exchange.stream = stream
        exchange.upstream_seconds = self.upstream_seconds
        upstream.answered(exchange, section, after, body)

    def _finish(
        self,
        upstream: Upstream,
        section: ResponseSection,
        status: int,
        forward: bytes,
        body: bytes,
        now: float,
    ) -> None:
        """Give the connection back, write the response, count, and let the client go on."""
        target, way, connection = upstream.target, self.way, self.connection
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
        line = section.line if status == section.status else status_line(status)
        end = _END if keep else _CLOSE
        sized = section.sized
        if section.length != len(body):
            sized = b"content-length: %d\r\n" % len(body)
        connection.transport.write(b"".join((line, forward, sized, _ID, self.id, end, body)))
        way.series.in_flight -= 1
        seconds = now - self.began
        way.series.note((way.name, status, seconds, len(self.body), len(body)))
        plane, chain, pre = self.plane, way.chain, self.pre
        if plane.access is not None:
            plane.access.write_fast(self, status, seconds, len(body))
        if chain is not None and not (chain.observers and self._told(chain, seconds, len(body))):
            chain.leave(self)
        if pre is not None and not (pre.observers and self._told(pre, seconds, len(body))):
            pre.leave(self)
        self.request = self.response = None
        if keep and connection.writable and not (connection.backlog or connection.paused):
            connection.mode = IDLE
            connection.total = NEVER
            connection.deadline = plane.ticker.now + plane.idle_span
        else:
            connection.response_done(keep)

    def _told(self, chain: Chain, seconds: float, size: int) -> bool:
        """Let the observers be told soon, who leave the chain then."""
        request, response = self.request, self.response
        if request is None or response is None:
            return False
        timing = Timing(
            seconds, self.upstream_seconds, self.plugin_seconds, len(self.body), size, "ok"
        )
        done = Observed(request, response, timing)
        chain.inside.discard(self)
        chain.inside.add(done)
        self.plane.observers.put(chain, done)
        return True

    # --- what is not usual

    def promote(self) -> Exchange:
        """Go on as a full exchange."""
        exchange = promote(self)
        self.request = self.response = self.upstream = None
        self.routed = True
        return exchange

    def cancel(self) -> None:
        """The drain deadline is over."""
        self.promote().cancel()


def _count_body(exchange: Exchange) -> None:
    """Count what has come with the head, if somebody takes it: else it was thrown away."""
    if not exchange.finished:
        exchange.bytes_in = exchange.head.length


def _plain(status: int) -> bool:
    """Whether a response with this status has a body and no other meaning."""
    return 200 <= status < 600 and status not in (204, 304)
