"""What takes a request when it has passed the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from plugbay.gateway.exchange._filtering import FilteredRequest
from plugbay.gateway.exchange._forwarding import Forwarding

if TYPE_CHECKING:
    from plugbay.gateway._spec import RouteSpec
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.message._wire import Fields
    from plugbay.gateway.upstream._pool import UpstreamPool
    from plugbay.gateway.upstream._target_pool import TargetPool


class Handler(Protocol):
    """Answers an exchange that has passed its chain."""

    def start(self, exchange: Exchange) -> None:
        """Take the body by `exchange.take` and respond by `exchange.respond`."""
        ...


class ProxyHandler:
    """Sends requests to an upstream."""

    __slots__ = ("pool", "prefix", "preserve_host", "rewrites", "unusual", "websocket")

    def __init__(self, spec: RouteSpec, pool: UpstreamPool) -> None:
        self.pool = pool
        self.prefix = spec.path.rstrip("/").encode() if spec.strip_prefix else b""
        self.preserve_host = spec.preserve_host
        self.rewrites = bool(self.prefix) or not spec.preserve_host
        self.websocket = spec.websocket
        self.unusual = self.rewrites or pool.hashes
        """Whether a request is changed, or looked at, on its way to the upstream."""

    def start(self, exchange: Exchange, target: TargetPool | None = None) -> None:
        """Go to an upstream: to `target`, if it was chosen already."""
        head, chain = exchange.head, exchange.chain
        if head.upgrade and not self.websocket:
            head.upgrade = b""
        queue = exchange.queue
        filters = chain is not None and chain.filters_request
        if head.length and (filters or (queue is not None and queue.spill is not None)):
            filtered = FilteredRequest(exchange, chain if filters else None)
            if not filtered.needless:
                chunked = filtered.filters or head.length < 0
                filtered.start(Forwarding(exchange, self, chunked))
                return
        forwarding = Forwarding(exchange, self, head.length < 0)
        if queue is None:
            exchange.sink = forwarding
        else:
            exchange.take(forwarding)
        forwarding.start(target)

    def rewrite(self, target: bytes, fields: Fields, address: str) -> tuple[bytes, Fields]:
        """Strip the route's prefix and set the upstream's own host, as the route wants it."""
        if self.prefix and target.startswith(self.prefix):
            target = target[len(self.prefix) :]
            if not target.startswith(b"/"):
                target = b"/" + target
        if not self.preserve_host or not any(name == b"host" for name, _ in fields):
            fields = [field for field in fields if field[0] != b"host"]
            fields.insert(0, (b"host", address.encode("latin-1")))
        return target, fields
