"""One request on its way to an upstream: target, connection, retries, and what comes back.

A request is sent again only if nothing of a response was passed on, nothing that may have had an
effect was sent (the method is idempotent, or the connection was never made), and what was sent of
the body is still at hand (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway.exchange._forwarded_head import forwarded_head
from plugbay.gateway.exchange._sending import Sending
from plugbay.gateway.message._response_head import ResponseHead, read_response_head
from plugbay.gateway.message._wire import Unsendable
from plugbay.gateway.upstream._retry import IDEMPOTENT

if TYPE_CHECKING:
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._handlers import ProxyHandler
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.upstream._pool import UpstreamPool
    from plugbay.gateway.upstream._target_pool import TargetPool
    from plugbay.gateway.upstream._upstream import Upstream


class Forwarding(Sending):
    """The sink of a request that goes to an upstream."""

    __slots__ = (
        "attempts",
        "began",
        "connecting",
        "counted",
        "handler",
        "key",
        "pool",
        "target",
        "tried",
    )

    def __init__(self, exchange: Exchange, handler: ProxyHandler, chunked: bool) -> None:
        super().__init__(exchange, chunked)
        self.handler = handler
        self.pool: UpstreamPool = handler.pool
        self.tried: list[TargetPool] = []
        self.attempts = 0
        self.target: TargetPool | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.counted = False
        self.key = b""
        self.began = 0.0

    def start(self, target: TargetPool | None = None) -> None:
        """Find a target, if none was chosen, and send the head."""
        pool = self.pool
        self.counted = pool.admit()
        if not self.counted:
            self.exchange.fail(503, "the upstream has too many requests in flight")
            return
        if pool.hashes:
            self.key = pool.key(self.exchange.request)
        self._attempt(fresh=False, target=target)

    def _attempt(self, *, fresh: bool, target: TargetPool | None = None) -> None:
        target = target or self.pool.pick(self.key, self.tried)
        self.target = target
        self.attempts += 1
        target.state.in_flight += 1
        upstream = None if fresh else target.take()
        if upstream is not None:
            self.attach(upstream)
        elif self.pool.may_connect():
            self.connect()
        elif not self.pool.wait(self):
            self._release()
            self._give_up(503, "the upstream has too many connections in use")

    def connect(self) -> None:
        """Make the connection that was waited for: there is room now."""
        if self.target is not None:
            self.connecting = asyncio.get_running_loop().create_task(self.target.connect(self))

    def retarget(self, target: TargetPool) -> None:
        """Go to `target` instead: it has a connection to give."""
        self._release()
        self.target = target
        target.state.in_flight += 1

    def attach(self, upstream: Upstream) -> None:
        """Take the connection and send what there is of the request."""
        exchange = self.exchange
        self.connecting = None
        self.upstream = upstream
        self.began = exchange.plane.monotonic()
        upstream.serve(self, exchange.head.method == b"HEAD")
        try:
            target = upstream.target.state.address
            head = forwarded_head(exchange, self.handler, target, self.chunked)
        except Unsendable:
            self._give_up(500, "a plugin has changed the request into one that cannot be sent")
            return
        upstream.target.series.requests += 1
        self.send(upstream, head)

    # --- what the upstream says

    def informational(self, status: int, raw: Fields, special: Fields) -> None:
        """An interim response: 100 is ours to send, others are passed on (RFC 9110, 15.2)."""
        if status != 100:
            fields = read_response_head(status, raw, special, True).fields
            self.exchange.interim(status, fields)

    def response(self, head: ResponseHead) -> None:
        """The head of the final response."""
        upstream, target = self.upstream, self.target
        if upstream is None or target is None:
            return
        exchange = self.exchange
        exchange.upstream_seconds = seconds = exchange.plane.monotonic() - self.began
        target.series.duration.observe(seconds)
        if head.status >= 500:
            target.failed()
            if head.status in self.pool.spec.retries.statuses and self._may_retry(free=False):
                self._drop()
                self._attempt(fresh=False)
                return
        else:
            target.worked()
        self.heard = True
        exchange.respond(head.status, head.fields, head.length)

    def response_data(self, data: bytes) -> None:
        self.exchange.response_data(data)

    def flush(self) -> None:
        self.exchange.flush()

    def response_end(self, trailers: Fields) -> None:
        """The response is complete."""
        self._finish()
        self.exchange.response_end(trailers)

    def switched(self, upstream: Upstream, raw: Fields, special: Fields) -> None:
        """101: the bytes that follow are the client's and the upstream's own affair."""
        asked = self.exchange.head.upgrade
        if not asked or [v.lower() for n, v in special if n == b"upgrade"] != [asked]:
            self.upstream_bad("the upstream switched to a protocol that nobody asked for")
            return
        fields = read_response_head(101, raw, special, True).fields
        self.heard, self.replay = True, None
        upstream.tunnel()
        self.exchange.switch(fields)

    # --- what goes wrong

    def connect_failed(self, target: TargetPool, *, timed_out: bool) -> None:
        """No connection could be made: nothing was sent, so any request may be tried again."""
        self.connecting = None
        self._release()
        if self.over:
            return
        self.tried.append(target)
        retries = self.pool.spec.retries
        if self.attempts <= retries.attempts and self.pool.may_retry():
            target.series.retries += 1
            self._attempt(fresh=False)
        elif timed_out:
            self._give_up(504, "connecting to the upstream took too long")
        else:
            self._give_up(502, "no connection to the upstream could be made")

    def upstream_lost(self, upstream: Upstream, *, heard: bool) -> None:
        """The connection broke before the response was complete."""
        self.upstream = None
        stale = upstream.served > 1 and not heard
        if not stale and self.target is not None:
            self.target.failed()
        if self.heard:
            self._give_up(502, "the upstream broke off its response")
        elif not heard and self._may_retry(free=stale):
            self._release()
            self._attempt(fresh=True)
        else:
            self._give_up(502, "the upstream closed the connection without a response")

    def upstream_bad(self, why: str) -> None:
        """What the upstream sent cannot be understood."""
        if self.target is not None:
            self.target.failed()
        self._give_up(502, why)

    def timed_out(self) -> None:
        """The upstream did not send, or did not take, anything for too long."""
        if self.target is not None:
            self.target.series.timeouts += 1
            self.target.failed()
        self._give_up(504, "the upstream took too long")

    def waited_long(self) -> None:
        """No connection became free in time."""
        self._release()
        self._give_up(503, "the upstream has too many connections in use")

    def _may_retry(self, *, free: bool) -> bool:
        """Whether to send again; `free`: a kept connection was stale, which costs no budget."""
        exchange = self.exchange
        if exchange.head.method not in IDEMPOTENT or self.replay is None or exchange.head.upgrade:
            return False
        if free:
            return self.attempts <= self.pool.spec.retries.attempts + 1
        if self.target is not None:
            self.tried.append(self.target)
        if self.attempts > self.pool.spec.retries.attempts or not self.pool.may_retry():
            return False
        if self.target is not None:
            self.target.series.retries += 1
        return True

    def _give_up(self, status: int, why: str) -> None:
        self.cancel()
        self.exchange.fail(status, why)

    def cancel(self) -> None:
        """Stop: the connection was used in part and is closed."""
        self._drop()
        self._finish()
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None

    def _drop(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None and upstream.forwarding is self:
            upstream.abandon()
        self.pool.forget(self)
        self._release()
        self.request_sent = False

    def _release(self) -> None:
        if self.target is not None:
            self.target.state.in_flight -= 1
            self.target = None

    def _finish(self) -> None:
        if not self.over:
            self.over = True
            self._release()
            if self.counted:
                self.pool.in_flight -= 1
