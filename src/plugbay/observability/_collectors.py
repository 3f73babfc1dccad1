"""Turns the data plane's series into metric families, when somebody asks and not before.

Names: docs/design/metrics.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from plugbay.observability._family import OVERFLOW, Definition, FamilySnapshot, Sample, sample
from plugbay.observability._series import (
    PLUGIN_SECONDS,
    REQUEST_SECONDS,
    PluginSeries,
    RouteSeries,
    UpstreamSeries,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from plugbay.observability._family import Combine


class Collector(Protocol):
    """Something that knows values which nobody counts as they change."""

    def collect(self) -> Iterable[FamilySnapshot]:
        """Return the families as they are now."""
        ...


S = TypeVar("S")


class SeriesSet(Generic[S]):
    """A bounded set of series by label values; a full one hands out its `overflow` series."""

    def __init__(self, make: Callable[..., S], width: int, limit: int) -> None:
        self._make = make
        self._overflow = (OVERFLOW,) * width
        self._limit = limit
        self._series: dict[tuple[str, ...], S] = {}
        self.refused = 0

    def get(self, *labels: str) -> S:
        """Return the one series with these labels."""
        found = self._series.get(labels)
        if found is None:
            if len(self._series) >= self._limit:
                self.refused += 1
                labels = self._overflow
            found = self._series.setdefault(labels, self._make(*labels))
        return found

    def __iter__(self) -> Iterator[S]:
        return iter(self._series.values())


def _counter(name: str, help_: str, *labels: str) -> Definition:
    return Definition(name, "counter", help_, labels)


def _gauge(name: str, help_: str, *labels: str, combine: Combine = "sum") -> Definition:
    return Definition(name, "gauge", help_, labels, combine=combine)


def _histogram(name: str, help_: str, bounds: tuple[float, ...], *labels: str) -> Definition:
    return Definition(name, "histogram", help_, labels, bounds)


PLUGIN_LABELS = ("plugin", "version", "phase")
PLUGIN_REQUESTS = _counter(
    "plugbay_plugin_requests_total",
    "Requests that a plugin saw, by what came of them.",
    *PLUGIN_LABELS,
    "outcome",
)
PLUGIN_DURATION = _histogram(
    "plugbay_plugin_duration_seconds", "Time in a plugin's hooks.", PLUGIN_SECONDS, *PLUGIN_LABELS
)
OUTCOMES = ("passed", "answered", "failed", "skipped")


def collect_plugins(plugins: Iterable[PluginSeries]) -> Iterator[FamilySnapshot]:
    """Yield the families of what plugins did."""
    requests = FamilySnapshot(PLUGIN_REQUESTS, [])
    duration = FamilySnapshot(PLUGIN_DURATION, [])
    for one in plugins:
        one.settle()
        labels = (one.plugin, one.version, one.phase)
        counts = (one.passed, one.answered, one.failed, one.skipped)
        requests.samples += [
            Sample((*labels, outcome), count)
            for outcome, count in zip(OUTCOMES, counts, strict=True)
        ]
        duration.samples.append(sample(labels, one.duration))
    yield requests
    yield duration


HTTP_REQUESTS = _counter(
    "plugbay_http_requests_total",
    "Requests by route, method and status code; code 0 had no response.",
    "route",
    "method",
    "code",
)
HTTP_DURATION = _histogram(
    "plugbay_http_request_duration_seconds",
    "Time from a request's first byte to its response's last.",
    REQUEST_SECONDS,
    "route",
)
HTTP_NUMBERS = {
    "bytes_in": _counter("plugbay_http_request_bytes_total", "Bytes of request bodies.", "route"),
    "bytes_out": _counter(
        "plugbay_http_response_bytes_total", "Bytes of response bodies.", "route"
    ),
    "in_flight": _gauge("plugbay_http_requests_in_flight", "Requests being served.", "route"),
}


def collect_routes(routes: Iterable[RouteSeries]) -> Iterator[FamilySnapshot]:
    """Yield the families of what went through routes."""
    every = tuple(routes)
    yield FamilySnapshot(
        HTTP_REQUESTS,
        [
            Sample((one.route, method, str(status)), count)
            for one in every
            for (method, status), count in one.requests.items()
        ],
    )
    yield FamilySnapshot(HTTP_DURATION, [sample((one.route,), one.duration) for one in every])
    for attribute, definition in HTTP_NUMBERS.items():
        yield FamilySnapshot(
            definition, [Sample((one.route,), getattr(one, attribute)) for one in every]
        )


UPSTREAM_LABELS = ("upstream", "target")
UPSTREAM_DURATION = _histogram(
    "plugbay_upstream_duration_seconds",
    "Time from sending a request to its response's head.",
    REQUEST_SECONDS,
    *UPSTREAM_LABELS,
)
_UPSTREAM_COUNTERS = {
    "requests": ("requests", "Requests sent, retries among them."),
    "retries": ("retries", "Requests sent again after a failure."),
    "failures": ("failures", "Requests that failed, time-outs among them."),
    "timeouts": ("timeouts", "Requests that were given up on."),
    "connects": ("connections", "Connections opened."),
    "connect_failures": ("connect_failures", "Connections that could not be opened."),
    "ejections": ("ejections", "Times that a target was rested."),
}
_UPSTREAM_GAUGES: dict[str, tuple[str, str, Combine]] = {
    "in_flight": ("requests_in_flight", "Requests waiting for their response's end.", "sum"),
    "spare": ("spare_connections", "Kept connections without a request.", "sum"),
    "healthy": ("healthy", "1 if the target is used, by worker.", "worker"),
}
UPSTREAM_NUMBERS = {
    **{
        attribute: _counter(f"plugbay_upstream_{name}_total", help_, *UPSTREAM_LABELS)
        for attribute, (name, help_) in _UPSTREAM_COUNTERS.items()
    },
    **{
        attribute: _gauge(f"plugbay_upstream_{name}", help_, *UPSTREAM_LABELS, combine=combine)
        for attribute, (name, help_, combine) in _UPSTREAM_GAUGES.items()
    },
}


def collect_upstreams(upstreams: Iterable[UpstreamSeries]) -> Iterator[FamilySnapshot]:
    """Yield the families of what went to upstreams."""
    every = tuple(upstreams)
    for attribute, definition in UPSTREAM_NUMBERS.items():
        yield FamilySnapshot(
            definition,
            [Sample((one.upstream, one.target), getattr(one, attribute)) for one in every],
        )
    yield FamilySnapshot(
        UPSTREAM_DURATION, [sample((one.upstream, one.target), one.duration) for one in every]
    )
