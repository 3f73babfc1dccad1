"""Keep-alive connections to the targets of an upstream, shared by all tables that name it alike.

A pool lives while some table uses its `UpstreamSpec`; a new table with an unchanged spec takes
over the spare connections, the health of the targets and the retry budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from plugbay.gateway.upstream._balance import create_balancer
from plugbay.gateway.upstream._outlier import OutlierDetector
from plugbay.gateway.upstream._retry import RetryBudget
from plugbay.gateway.upstream._target_pool import TargetPool
from plugbay.gateway.upstream._targets import TargetState

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from plugbay.gateway._spec import UpstreamSpec
    from plugbay.gateway.exchange._forwarding import Forwarding
    from plugbay.gateway.transport._bulk import Scratch
    from plugbay.gateway.transport._ticker import Ticker
    from plugbay.gateway.upstream._upstream import Upstream
    from plugbay.kernel import Clock, Randomness
    from plugbay.observability import UpstreamSeries
    from plugbay.sdk import Request


class UpstreamMeter(Protocol):
    """Hands out the series of a target; `observability.Registry` is one."""

    def upstream(self, upstream: str, target: str) -> UpstreamSeries: ...


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
