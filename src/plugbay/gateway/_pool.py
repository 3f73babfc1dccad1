"""Keep-alive connections to the targets of an upstream, shared by all tables that name it alike.

A pool lives while some table uses its `UpstreamSpec`; a new table with an unchanged spec takes
over the spare connections, the health of the targets and the retry budget.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.gateway._balance import create_balancer
from plugbay.gateway._field_names import FieldNames
from plugbay.gateway._outlier import OutlierDetector
from plugbay.gateway._response_head import is_special
from plugbay.gateway._response_sections import ResponseReader, ResponseSection
from plugbay.gateway._retry import RetryBudget
from plugbay.gateway._targets import UNIX, TargetState, split_address
from plugbay.gateway._upstream import Upstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from plugbay.gateway._bulk import Scratch
    from plugbay.gateway._forwarding import Forwarding
    from plugbay.gateway._spec import UpstreamSpec
    from plugbay.gateway._ticker import Ticker
    from plugbay.kernel import Clock, Randomness
    from plugbay.observability import UpstreamSeries
    from plugbay.sdk import Request

    ClientTls = Callable[[UpstreamSpec], ssl.SSLContext]


class UpstreamMeter(Protocol):
    """Hands out the series of a target; `observability.Registry` is one."""

    def upstream(self, upstream: str, target: str) -> UpstreamSeries: ...


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
        self.last = ResponseSection(b"")
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


class UpstreamPool:
    """The targets of one upstream, how to choose among them, and the bounds on their use."""

    def __init__(
        self,
        spec: UpstreamSpec,
        *,
        clock: Clock,
        randomness: Randomness,
        ticker: Ticker,
        meter: UpstreamMeter,
        tls: ssl.SSLContext | None,
        scratch: Scratch,
    ) -> None:
        self.spec = spec
        self.ticker = ticker
        states = [TargetState(target.address, target.weight) for target in spec.targets]
        self.targets = {
            state: TargetPool(self, state, meter.upstream(spec.name, state.address))
            for state in states
        }
        self.balancer = create_balancer(spec.balance, states, clock, randomness)
        self.outlier = OutlierDetector(spec.outlier, states, clock)
        self.budget = RetryBudget(spec.retries, clock)
        self.waiting: dict[Forwarding, float] = {}
        self.connections = self.in_flight = self.users = 0
        self.admitted = 0
        """Requests since the retry budget was told of them."""
        self.max_requests = spec.breaker.max_requests
        self.closed = False
        self.hashes = spec.balance == "consistent-hash"
        self.single = next(iter(self.targets.values())) if len(states) == 1 else None
        self.tls = tls
        self.scratch = scratch

    def admit(self) -> bool:
        """Count a request in; False if there are too many."""
        limit = self.max_requests
        if limit and self.in_flight >= limit:
            return False
        self.in_flight += 1
        self.admitted += 1
        return True

    def may_retry(self) -> bool:
        """Take one retry from the budget; False if there is none left."""
        self._count()
        return self.budget.spend()

    def _count(self) -> None:
        """Tell the budget of the requests since the last time, in one go."""
        if self.admitted:
            self.budget.request(self.admitted)
            self.admitted = 0

    def pick(self, key: bytes, tried: Sequence[TargetPool]) -> TargetPool:
        """Choose a target."""
        if self.single is not None:
            return self.single
        return self.targets[self.balancer.pick(key, [target.state for target in tried])]

    def key(self, request: Request) -> bytes:
        """What consistent hashing hashes."""
        on = self.spec.hash_on
        if on == "path":
            return request.target.partition(b"?")[0]
        if on.startswith("header:"):
            return request.headers.get(on.removeprefix("header:"), "").encode("latin-1")
        return request.client.encode("latin-1")

    def may_connect(self) -> bool:
        """Whether one more connection may be made."""
        limit = self.spec.breaker.max_connections
        return not limit or self.connections < limit

    def wait(self, forwarding: Forwarding) -> bool:
        """Queue for a connection; False if the queue is full."""
        if len(self.waiting) >= self.spec.breaker.max_pending:
            return False
        self.waiting[forwarding] = self.ticker.after(self.spec.connect_timeout)
        return True

    def forget(self, forwarding: Forwarding) -> None:
        """Take it out of the queue."""
        if self.waiting:
            self.waiting.pop(forwarding, None)

    def hand_over(self, target: TargetPool, upstream: Upstream) -> None:
        """Give a connection that became free to the first in the queue."""
        forwarding = self._first()
        forwarding.retarget(target)
        forwarding.attach(upstream)

    def connection_gone(self) -> None:
        """There is room for a new connection: the first in the queue may make one."""
        if self.waiting and self.may_connect():
            self._first().connect()

    def _first(self) -> Forwarding:
        forwarding = next(iter(self.waiting))
        del self.waiting[forwarding]
        return forwarding

    def tls_arguments(self) -> dict[str, Any]:
        """What `create_connection` needs for TLS."""
        if self.tls is None or self.spec.tls is None:
            return {}
        name = self.spec.tls.server_name
        return {
            "ssl": self.tls,
            "ssl_shutdown_timeout": 2.0,
            **({"server_hostname": name} if name else {}),
        }

    def sweep(self, now: float) -> None:
        """Give up what is late."""
        self._count()
        for target in self.targets.values():
            target.sweep(now)
        for forwarding in [f for f, deadline in self.waiting.items() if deadline <= now]:
            del self.waiting[forwarding]
            forwarding.waited_long()

    def close(self) -> None:
        """Keep no connection any more."""
        self.closed = True
        for target in self.targets.values():
            target.close()
