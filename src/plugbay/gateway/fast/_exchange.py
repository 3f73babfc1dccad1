"""The usual request, straight through: read whole, sent whole, answered whole.

A request takes this path if it lies in one read with its small body, or in two if the first has
the head and the second follows at once, its route goes to an
upstream that has a connection to spare, and the chain's hooks are plain functions. Then it costs
no task, no timer, and hardly an object: a connection has one fast exchange and uses it again.

There are two states in which it waits: for the response, and for the rest of its body if that is
small or comes in chunks. Whatever else happens in them, or comes out of a hook, is not handled
here: the request is promoted, as it stands, to the `Exchange` and the `Forwarding` that it would
have been, and they go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.chain._tap import LATER
from plugbay.gateway.fast._response import FastResponse
from plugbay.gateway.fast._state import END, MOST
from plugbay.gateway.message._wire import Unsendable, resized
from plugbay.gateway.transport._connection import WAITING
from plugbay.gateway.transport._ticker import NEVER

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._tap import Tap
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.routing._ways import Way
    from plugbay.gateway.upstream._target_pool import TargetPool
    from plugbay.sdk import Request

_OWN = b"via: 1.1 plugbay\r\nx-request-id: "
_LINE_END = b"\r\n"
_LENGTH = b"\r\ncontent-length:"
_DIGITS = 6
_WITH_BODY = b"POST ", b"PUT ", b"PATCH "


class FastExchange(FastResponse):
    """Takes the requests of a connection that are usual, one at a time."""

    __slots__ = ()

    def take(self, data: bytes) -> bool:
        """Take a read of an idle connection; False leaves it, untouched, to the general path."""
        plane = self.plane
        if (data != self.data or plane.ways is not self.ways) and not self._look(data):
            return False
        way, pre = self.asked, self.pre
        chain = way.chain
        if (chain is not None and not chain.fast) or (pre is not None and not pre.fast):
            return False
        connection = self.connection
        connection.mode = WAITING
        connection.fast = self
        connection.deadline = NEVER
        self.began = self.now()
        self.id = plane.next_id()
        self.way = way
        self.plugin_seconds = 0.0
        self.entered = 0
        if pre is not None:
            found = self._before(pre, way)
            if found is None:
                return True
            self.way = way = found
            chain = way.chain
        way.series.in_flight += 1
        if way.total_timeout:
            connection.total = plane.ticker.after(way.total_timeout)
        if chain is None and pre is None:
            self._send(way, self.line, self.section.forward, self.body)
        else:
            self._through(chain, way)
        return True

    def _look(self, data: bytes) -> bool:
        """See what a request is; False if it is not one for this path."""
        self.data = b""
        plane, section = self.plane, self.section
        ways = plane.ways
        head, end, body = data.partition(END)
        if not end or ways is None:
            return False
        line, _, block = head.partition(_LINE_END)
        size = len(body)
        if section.block != block:
            peer, scheme = self.connection.peer, self.connection.scheme
            awaited = 0 if size or not line.startswith(_WITH_BODY) else _body_size(block)
            whole = data + bytes(awaited) if awaited else data
            read = plane.sections.read(whole, block, size or awaited, peer, scheme, section)
            if read is None:
                return False
            self.section = section = read  # the next request has it probably too
        found = ways[line, section.host]
        if section.length != size or found is None:
            if found is not None and not size:
                self.connection.await_body(data)
            return False
        way, target = found
        if size > (way.max_body or plane.most):
            return False
        if (
            way.wants_length
            and not section.sized
            and (way.chain is not None or ways.pre is not None)
        ):
            return False
        if ways is not self.ways:
            self.ways = ways
            ways.known_by.add(self)
            self.pre = ways.pre
        self.asked = self.way = way
        self.target, self.line, self.body = target, line, body
        if not size:
            self.data = data
        return True

    def _before(self, pre: Chain, way: Way) -> Way | None:
        """Pass the request hooks before the match, and find the way; None: it is promoted."""
        pre.tally.entered += 1
        pre.inside.add(self)
        self.routed = False
        request = self.received()
        answer = pre.on_request(request, self)
        self.pre_entered, self.entered = self.entered, 0
        if answer is not None:
            self.promote().answer(answer)
            return None
        found: Way | None = way
        if request.method is not way.name:
            found = None
        elif request.target is not self.target:
            found = self._elsewhere(way, request.target)
        if found is None:
            exchange = self.promote()
            exchange.dispatch()
            _count_body(exchange)
        else:
            self.routed = True
        return found

    def _elsewhere(self, way: Way, target: bytes) -> Way | None:
        """Return the way that a request has got by another target, if it is a fast one."""
        ways, size = self.plane.ways, len(self.body)
        if ways is None:
            return None
        found = ways[b"%b %b HTTP/1.1" % (way.method, target), self.section.host]
        if found is None or size > (found[0].max_body or self.plane.most):
            return None
        chain = found[0].chain
        return found[0] if chain is None or chain.fast else None

    def _through(self, chain: Chain | None, way: Way) -> None:
        """Pass the request hooks of the route, and send what they all have made of the request."""
        request = self.request or self.received()
        request.route = way.route.name
        body = self.body
        if chain is not None:
            chain.tally.entered += 1
            chain.inside.add(self)
            answer = chain.on_request(request, self)
            if answer is not None:
                self.promote().answer(answer)
                return
            if chain.tap is not None:
                passed = self._tapped_request(chain, chain.tap, request)
                if passed is None:
                    return
                body = passed
        section, line = self.section, self.line
        fields, forward, raw = section.fields, section.forward, request.headers.raw
        try:
            if request.method is not way.name:
                self._hand_over()
                return
            target = request.target
            if target is not self.target:
                line = b"%b %b HTTP/1.1" % (way.method, target)
            if body is not self.body:
                forward = resized(raw, len(body))
            elif raw != fields:
                forward = self.plane.added.edited(fields, forward, raw, section.sized)
        except Unsendable:
            self._hand_over()  # which tells what is wrong
            return
        self._send(way, line, forward, body)

    def _tapped_request(self, chain: Chain, tap: Tap, request: Request) -> bytes | None:
        """Show the tap the request; return the body to be sent, or None if it goes elsewhere."""
        answer = tap.request(request, self.body, self)
        if answer is None:
            return self.body
        if isinstance(answer, bytes):
            return answer
        exchange = self.promote()
        if answer is LATER:
            exchange.later(chain, tap)  # the tap goes on in a task
            _count_body(exchange)
        else:
            exchange.answer(answer)
        return None

    def _send(self, way: Way, line: bytes, forward: bytes, body: bytes) -> None:
        """Send the request to a spare connection, if there is one."""
        pool = way.pool
        limit = pool.max_requests
        if limit and pool.in_flight >= limit:
            self._hand_over()
            return
        target = pool.single or pool.pick(b"", ())
        spare = target.spare
        if not spare or spare[-1].transport.is_closing():
            self._hand_over(target)
            return
        pool.in_flight += 1
        pool.admitted += 1
        target.state.in_flight += 1
        self.upstream = upstream = spare.pop()
        upstream.fast = self
        upstream.deadline = target.ticker.now + target.response_span
        # Without another look at the clock: nothing but the hooks has taken time.
        self.sent = self.began + self.plugin_seconds
        upstream.transport.write(b"".join((line, _LINE_END, forward, _OWN, self.id, END, body)))

    def _hand_over(self, target: TargetPool | None = None) -> None:
        """Let the general path do what comes behind the request hooks."""
        exchange = self.promote()
        self.way.handler.start(exchange, target)
        _count_body(exchange)


def _body_size(block: bytes) -> int:
    """Return how long a small body will be, as far as can be told at a glance; else 0."""
    at = block.lower().find(_LENGTH)
    if at < 0:
        return 0
    said = block[at + len(_LENGTH) :].partition(_LINE_END)[0].strip(b" \t")
    return int(said) if said.isdigit() and len(said) < _DIGITS and int(said) <= MOST else 0


def _count_body(exchange: Exchange) -> None:
    """Count what has come with the head, if somebody takes it: else it was thrown away."""
    if not exchange.finished:
        exchange.bytes_in = exchange.head.length
