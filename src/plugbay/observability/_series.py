"""Series that the data plane updates, on every request.

Nothing here locks or looks a label up: a worker has one event loop, and whoever holds a series
adds to its attributes. What is known when a request ends is only noted then, in one piece, and
entered in bulk when there is much of it or somebody reads: that costs a quarter.
`Registry.plugin`, `.route` and `.upstream` hand them out, one for each label set however often it
is asked for, so a reload goes on counting where the last generation stopped.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Finished = tuple[str, int, float, int, int]

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PLUGIN_SECONDS = (0.000001, 0.000005, 0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.01, 0.1, 1.0)

MOST = 256
"""How many exchanges are noted at most before they are entered."""

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

    def observe_all(self, values: Sequence[float]) -> None:
        """Count `values`."""
        counts, first = self.counts, self.bounds[0]
        self.total += sum(values)
        # Most belong into the first bucket, so not all need be sorted.
        above = [value for value in values if value > first]
        above.sort()
        at, size = 0, len(above)
        counts[0] += len(values) - size
        for place, bound in enumerate(self.bounds):
            if at == size:
                return
            upto = bisect_right(above, bound, at)
            counts[place] += upto - at
            at = upto
        counts[-1] += size - at

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
        "behind",
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
        self.behind: set[Callable[[], None]] = set()
        """Those who note calls and enter them later, in bulk."""

    def settle(self) -> None:
        """Have all calls entered, before the figures are read."""
        for enter in self.behind:
            enter()


class RouteSeries:
    """What went through one route. An unmatched request counts under the route `-`."""

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_duration",
        "_noted",
        "_requests",
        "in_flight",
        "note",
        "route",
    )

    note: Callable[[Finished], None]
    """Counts a finished exchange: method, status, seconds, bytes in and out. Whoever calls it
    instead of `count` sees to it that `settle` is called now and then."""

    def __init__(self, route: str) -> None:
        self.route = route
        self._requests: Counter[tuple[str, int]] = Counter()
        self._duration = Histogram(REQUEST_SECONDS)
        self._bytes_in = self._bytes_out = self.in_flight = 0
        self._noted: list[Finished] = []
        self.note = self._noted.append

    @property
    def requests(self) -> Mapping[tuple[str, int], int]:
        """How many there were, by method and status code."""
        self.settle()
        return self._requests

    @property
    def duration(self) -> Histogram:
        """How long they took."""
        self.settle()
        return self._duration

    @property
    def bytes_in(self) -> int:
        """Bytes of their bodies."""
        self.settle()
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        """Bytes of the bodies of the responses."""
        self.settle()
        return self._bytes_out

    def count(
        self, method: str, status: int, seconds: float, bytes_in: int, bytes_out: int
    ) -> None:
        """Count a finished exchange; `status` is 0 if the client got no response."""
        self.note((method if method in METHODS else "OTHER", status, seconds, bytes_in, bytes_out))
        if len(self._noted) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Enter what was noted."""
        noted = self._noted
        if noted:
            methods, statuses, seconds, sizes_in, sizes_out = zip(*noted, strict=True)
            noted.clear()
            self._requests.update(zip(methods, statuses, strict=True))
            self._duration.observe_all(seconds)
            self._bytes_in += sum(sizes_in)
            self._bytes_out += sum(sizes_out)


class UpstreamSeries:
    """What went to one target of an upstream."""

    __slots__ = (
        "_duration",
        "_noted",
        "_requests",
        "connect_failures",
        "connects",
        "ejections",
        "failures",
        "healthy",
        "in_flight",
        "note",
        "retries",
        "spare",
        "target",
        "timeouts",
        "upstream",
    )

    note: Callable[[float], None]
    """Counts a request that has been answered, by its seconds; as `RouteSeries.note`."""

    def __init__(self, upstream: str, target: str) -> None:
        self.upstream, self.target = upstream, target
        self._requests = self.retries = self.failures = self.timeouts = 0
        self.connects = self.connect_failures = self.ejections = 0
        self.in_flight = self.spare = 0
        self.healthy = 1
        self._duration = Histogram(REQUEST_SECONDS)
        self._noted: list[float] = []
        self.note = self._noted.append

    @property
    def requests(self) -> int:
        """Requests sent, retries among them."""
        self.settle()
        return self._requests

    @requests.setter
    def requests(self, value: int) -> None:
        self._requests = value

    @property
    def duration(self) -> Histogram:
        """How long it took from sending a request to its response's head."""
        self.settle()
        return self._duration

    def settle(self) -> None:
        """Enter what was noted."""
        noted = self._noted
        if noted:
            self._requests += len(noted)
            self._duration.observe_all(noted)
            noted.clear()
