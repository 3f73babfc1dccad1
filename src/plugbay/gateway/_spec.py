"""What an operator says of routes and upstreams: plain values, no behaviour.

Durations are in seconds and 0 switches a limit off, unless a field says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EscapedSlashes = Literal["reject", "keep", "decode"]
Balance = Literal["round-robin", "weighted", "least-requests", "consistent-hash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One address of an upstream: `host:port`, and its share under `weighted`."""

    address: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Active checks: GET `path` every `interval`; healthy if the status is in 200-399."""

    path: str = "/health"
    interval: float = 5.0
    timeout: float = 2.0
    unhealthy_after: int = 3
    healthy_after: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierDetection:
    """Passive checks: after `failures` in a row a target rests for `ejection` seconds."""

    failures: int = 5
    ejection: float = 10.0
    max_ejected: float = 0.5
    """Share of the targets that may rest at once; the last healthy one always serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Retries of idempotent requests (RFC 9110, 9.2.2) whose body was not sent yet.

    `budget` is the share of requests that may be retries, over a sliding ten seconds, above a
    floor of `minimum` a second: it keeps retries from making an outage worse.
    """

    attempts: int = 1
    budget: float = 0.2
    minimum: float = 3.0
    statuses: tuple[int, ...] = (502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Bounds on what may be in flight to an upstream; above them the answer is 503 at once."""

    max_connections: int = 1024
    max_pending: int = 1024
    max_requests: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS to an upstream. `verify` checks the certificate against `ca` or the system's roots."""

    server_name: str = ""
    ca: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSpec:
    """A group of targets that serve the same thing.

    `hash_on` is for `consistent-hash`: `client`, `path`, or `header:<name>`.
    `response_timeout` is from the request's last byte to the response's head;
    `idle_timeout` between any two bytes of an exchange; `keepalive` is how long a spare
    connection is kept.
    """

    name: str
    targets: tuple[Target, ...]
    balance: Balance = "round-robin"
    hash_on: str = "client"
    connect_timeout: float = 3.0
    response_timeout: float = 60.0
    idle_timeout: float = 60.0
    keepalive: float = 30.0
    max_spare: int = 128
    health: HealthCheck | None = None
    outlier: OutlierDetection = field(default_factory=OutlierDetection)
    retries: Retries = field(default_factory=Retries)
    breaker: Breaker = field(default_factory=Breaker)
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """Which requests go where.

    A request matches if its host is one of `hosts` (exact, or `*.example.com`; empty: any), its
    path starts with `path` on a segment border (or equals it, if `exact`), and its method is one
    of `methods` (empty: any). Of several, the highest `priority` wins, then exact before prefix,
    the longer path, the named host before a wildcard before any.

    It goes to `upstream`, to the mounted app of `plugin`, or to the upstream `mcp`, which is an
    MCP server: then its messages pass the plugins that are MCP filters. Exactly one is set.
    """

    name: str
    upstream: str = ""
    plugin: str = ""
    mcp: str = ""
    hosts: tuple[str, ...] = ()
    path: str = "/"
    exact: bool = False
    methods: tuple[str, ...] = ()
    priority: int = 0
    strip_prefix: bool = False
    preserve_host: bool = True
    total_timeout: float = 0.0
    max_body: int = 0
    """Bytes; 0 is the listener's limit."""
    websocket: bool = True
    escaped_slashes: EscapedSlashes = "reject"
    """What becomes of a path with `%2F`: 400, or it is sent as it is, or with plain slashes. It
    must lie under this route also when it is read with plain slashes."""
    merge_slashes: bool = True
    """Whether empty segments (`//`) are dropped from the path that is sent."""

    @property
    def leads(self) -> tuple[str, ...]:
        """Where it says that it goes; more or less than one is wrong."""
        return tuple(name for name in (self.upstream, self.plugin, self.mcp) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """What a client may ask of a listener."""

    head_timeout: float = 10.0
    """From the first byte of a head to its last: ends slow-loris connections."""
    idle_timeout: float = 75.0
    """Between requests on a kept connection."""
    body_timeout: float = 30.0
    """Between any two bytes of a request body, and for a client that does not read."""
    tunnel_idle: float = 3600.0
    """Between any two bytes of a WebSocket, whichever side sends them; pings count too."""
    max_head: int = 65_536
    max_headers: int = 100
    max_target: int = 8_192
    max_body: int = 0
    max_connections: int = 20_000
    max_streams: int = 100
    """Requests that one connection of HTTP/2 may have in flight."""
    trusted_proxies: tuple[str, ...] = ()
    """CIDR blocks whose `Forwarded` and `X-Forwarded-*` are believed."""
