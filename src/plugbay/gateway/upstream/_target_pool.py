"""One target of an upstream: its state, and its connections, kept for the next request."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from plugbay.gateway.message._field_names import FieldNames
from plugbay.gateway.message._response_head import is_special
from plugbay.gateway.message._response_sections import NO_RESPONSE, ResponseReader
from plugbay.gateway.upstream._targets import UNIX, TargetState, split_address
from plugbay.gateway.upstream._upstream import Upstream

if TYPE_CHECKING:
    from plugbay.gateway.exchange._forwarding import Forwarding
    from plugbay.gateway.upstream._pool import UpstreamPool
    from plugbay.observability import UpstreamSeries


class TargetPool:
    """One target: its state and its connections."""

    __slots__ = (
        "connections",
        "host",
        "idle_span",
        "last",
        "names",
        "pool",
        "port",
        "reader",
        "response_span",
        "series",
        "spare",
        "state",
        "ticker",
    )

    def __init__(self, pool: UpstreamPool, state: TargetState, series: UpstreamSeries) -> None:
        self.pool = pool
        self.state = state
        self.series = series
        self.host, self.port = split_address(state.address, 80 if pool.spec.tls is None else 443)
        self.ticker = pool.ticker
        self.idle_span = pool.ticker.span(pool.spec.idle_timeout)
        self.response_span = pool.ticker.span(pool.spec.response_timeout)
        self.names = FieldNames(is_special)
        self.reader = ResponseReader()
        self.last = NO_RESPONSE
        """What the last head said: a target often answers with the same one many times within the
        second that its Date lasts."""
        self.spare: deque[Upstream] = deque()
        self.connections: set[Upstream] = set()

    @property
    def busy(self) -> int:
        """How many connections are in use."""
        return len(self.connections) - len(self.spare)

    def take(self) -> Upstream | None:
        """Return the spare connection that was used last, or None."""
        spare = self.spare
        while spare:
            upstream = spare.pop()
            if not upstream.transport.is_closing():
                return upstream
        return None

    def give_back(self, upstream: Upstream) -> None:
        """Keep a connection whose exchange is over, or hand it to who waits for one."""
        pool = self.pool
        if pool.waiting:
            pool.hand_over(self, upstream)
        elif pool.closed or len(self.spare) >= pool.spec.max_spare:
            upstream.transport.close()
        else:
            upstream.since = pool.ticker.now
            self.spare.append(upstream)

    def lost(self, upstream: Upstream) -> None:
        """A connection is gone."""
        self.connections.discard(upstream)
        with contextlib.suppress(ValueError):
            self.spare.remove(upstream)
        self.pool.connections -= 1
        self.pool.connection_gone()

    async def connect(self, forwarding: Forwarding) -> None:
        """Make a connection for `forwarding`."""
        pool = self.pool
        pool.connections += 1
        self.series.connects += 1
        made = False
        try:
            async with asyncio.timeout(pool.spec.connect_timeout or None):
                upstream = await self._open()
            made = True
        except (OSError, TimeoutError) as error:
            self.series.connect_failures += 1
            self.failed()
            forwarding.connect_failed(self, timed_out=isinstance(error, TimeoutError))
            return
        finally:
            if not made:
                pool.connections -= 1
        self.connections.add(upstream)
        if forwarding.over:
            upstream.transport.close()
        else:
            forwarding.attach(upstream)

    async def _open(self) -> Upstream:
        loop = asyncio.get_running_loop()
        if self.host.startswith(UNIX):
            path = self.host.removeprefix(UNIX)
            _, upstream = await loop.create_unix_connection(lambda: Upstream(self), path)
        else:
            _, upstream = await loop.create_connection(
                lambda: Upstream(self), self.host, self.port, **self.pool.tls_arguments()
            )
        return upstream

    def worked(self) -> None:
        """An exchange went well."""
        if self.state.failures:
            self.pool.outlier.success(self.state)

    def failed(self) -> None:
        """An exchange failed: a broken or impossible connection, a time-out or a 5xx."""
        self.series.failures += 1
        if self.pool.outlier.failure(self.state):
            self.series.ejections += 1

    def idle_deadline(self) -> float:
        """When an exchange is given up if no byte moves."""
        return self.ticker.now + self.idle_span

    def response_deadline(self) -> float:
        """When the response's head must be there."""
        return self.ticker.now + self.response_span

    def sweep(self, now: float) -> None:
        """Give up what is late and close what was spare for too long."""
        for upstream in [u for u in self.connections if u.deadline <= now]:
            upstream.expire()
        keep = self.pool.spec.keepalive
        while self.spare and keep and self.spare[0].since + keep <= now:
            self.spare.popleft().transport.close()
        self.series.spare, self.series.in_flight = len(self.spare), self.state.in_flight
        self.series.healthy = int(self.state.healthy)

    def close(self) -> None:
        """Close the spare connections; busy ones end with their exchange.

        They owe nobody anything: the farewell of TLS would only outlive the loop.
        """
        while self.spare:
            self.spare.pop().transport.abort()
