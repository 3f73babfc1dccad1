"""Series that the data plane updates: plain attributes, because it does so on every request.

Nothing here locks, allocates or looks a label up: a worker has one event loop, and whoever holds
a series adds to its attributes. `Registry.plugin`, `.route` and `.upstream` hand them out, one
for each label set however often it is asked for, so a reload goes on counting where the last
generation stopped.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PLUGIN_SECONDS = (0.000001, 0.000005, 0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.01, 0.1, 1.0)

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
"""The registered methods worth a label; a client may invent any other (RFC 9110, 9.1)."""


class Histogram:
    """A distribution over fixed buckets. `counts` has one more entry than `bounds`: +Inf."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count `value`, in base units (seconds, bytes). A bucket includes its upper bound."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)


class PluginSeries:
    """What one version of a plugin did in one phase: outcomes of its hooks, and their duration.

    `passed`: the hook let the request go on. `answered`: it answered itself. `failed`: it raised
    or was late. `skipped`: it was not called (breaker open, slot failed).
    """

    __slots__ = (
        "answered",
        "duration",
        "failed",
        "passed",
        "phase",
        "plugin",
        "skipped",
        "version",
    )

    def __init__(self, plugin: str, version: str, phase: str) -> None:
        self.plugin, self.version, self.phase = plugin, version, phase
        self.passed = self.answered = self.failed = self.skipped = 0
        self.duration = Histogram(PLUGIN_SECONDS)


class RouteSeries:
    """What went through one route. An unmatched request counts under the route `-`."""

    __slots__ = ("bytes_in", "bytes_out", "duration", "in_flight", "requests", "route")

    def __init__(self, route: str) -> None:
        self.route = route
        self.requests: dict[tuple[str, int], int] = {}
        """By method and status code."""
        self.duration = Histogram(REQUEST_SECONDS)
        self.bytes_in = self.bytes_out = self.in_flight = 0

    def count(
        self, method: str, status: int, seconds: float, bytes_in: int, bytes_out: int
    ) -> None:
        """Count a finished exchange; `status` is 0 if the client got no response."""
        key = (method if method in METHODS else "OTHER", status)
        requests = self.requests
        requests[key] = requests.get(key, 0) + 1
        duration = self.duration
        duration.counts[bisect_left(duration.bounds, seconds)] += 1
        duration.total += seconds
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out


class UpstreamSeries:
    """What went to one target of an upstream. `duration` is until the response's head."""

    __slots__ = (
        "connect_failures",
        "connects",
        "duration",
        "ejections",
        "failures",
        "healthy",
        "in_flight",
        "requests",
        "retries",
        "spare",
        "target",
        "timeouts",
        "upstream",
    )

    def __init__(self, upstream: str, target: str) -> None:
        self.upstream, self.target = upstream, target
        self.requests = self.retries = self.failures = self.timeouts = 0
        self.connects = self.connect_failures = self.ejections = 0
        self.in_flight = self.spare = 0
        self.healthy = 1
        self.duration = Histogram(REQUEST_SECONDS)
