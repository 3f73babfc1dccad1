"""What went through the gateway lately, as points some seconds apart, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from plugbay.observability._collectors import (
    HTTP_DURATION,
    HTTP_NUMBERS,
    HTTP_REQUESTS,
    PLUGIN_DURATION,
    PLUGIN_REQUESTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from plugbay.kernel import Clock
    from plugbay.observability._family import FamilySnapshot, Sample

POINTS = 120
PLUGINS = 500
GATEWAY = ""
"""In the place of a plugin's id: all requests."""
PLUGIN_IN_FLIGHT = "plugbay_plugin_inflight"


class TrafficPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What went through between the point before and `time`.

    `requests`, `errors` and `answered` are per second; an error of a plugin is a hook that
    failed, one of the gateway a response of 500 or more, or none at all; `answered` are those
    that a plugin did not let pass. `p99` is in seconds, null without requests. `in_flight` is at
    `time`.
    """

    time: float
    requests: float
    errors: float
    answered: float
    p99: float | None
    in_flight: int


@dataclass(slots=True)
class _Totals:
    """Counts since the start."""

    requests: float = 0.0
    errors: float = 0.0
    answered: float = 0.0
    in_flight: float = 0.0
    bounds: Sequence[float] = ()
    counts: list[int] = field(default_factory=list[int])

    def observe(self, bounds: Sequence[float], counts: list[int]) -> None:
        """Add a histogram."""
        self.bounds = bounds
        known = self.counts or [0] * len(counts)
        self.counts = [one + other for one, other in zip(known, counts, strict=True)]


class History:
    """Remembers `points` points of the gateway, and of each of the latest `plugins` plugins."""

    def __init__(self, clock: Clock, *, points: int = POINTS, plugins: int = PLUGINS) -> None:
        self._clock, self._points, self._plugins = clock, points, plugins
        self._last: dict[str, _Totals] = {}
        self._looked = 0.0
        self._all: deque[TrafficPoint] = deque(maxlen=points)
        self._kept: OrderedDict[str, deque[TrafficPoint]] = OrderedDict()

    def sample(self, families: Iterable[FamilySnapshot]) -> None:
        """Add a point for everything that `families` speak of; the first call only counts."""
        totals = _count(families)
        now, seconds = self._clock.time(), self._clock.monotonic() - self._looked
        for key, total in totals.items() if self._last and seconds > 0 else ():
            before = self._last.get(key, _Totals())
            self._keep(key, _point(now, seconds, before, total))
        self._last, self._looked = totals, self._clock.monotonic()

    def gateway(self) -> Sequence[TrafficPoint]:
        """All requests, the oldest point first."""
        return tuple(self._all)

    def plugin(self, id: str) -> Sequence[TrafficPoint]:
        """What one plugin saw, the oldest point first."""
        return tuple(self._kept.get(id, ()))

    def _keep(self, key: str, point: TrafficPoint) -> None:
        if key == GATEWAY:
            self._all.append(point)
            return
        points = self._kept.get(key)
        if points is None:
            points = self._kept[key] = deque(maxlen=self._points)
        points.append(point)
        self._kept.move_to_end(key)
        if len(self._kept) > self._plugins:
            self._kept.popitem(last=False)


def _point(now: float, seconds: float, before: _Totals, after: _Totals) -> TrafficPoint:
    old = before.counts or [0] * len(after.counts)
    fresh = [max(0, new - known) for new, known in zip(after.counts, old, strict=True)]
    return TrafficPoint(
        time=now,
        requests=max(0.0, after.requests - before.requests) / seconds,
        errors=max(0.0, after.errors - before.errors) / seconds,
        answered=max(0.0, after.answered - before.answered) / seconds,
        p99=quantile(0.99, after.bounds, fresh),
        in_flight=int(after.in_flight),
    )


def quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float | None:
    """Estimate a quantile by interpolation in its bucket; the last bucket has no upper bound,
    so there the answer is its lower one. None without observations."""
    rank = share * sum(counts)
    if rank == 0:
        return None
    passed = 0
    for index, bound in enumerate(bounds):
        if passed + counts[index] >= rank:
            lower = bounds[index - 1] if index else 0.0
            return lower + (bound - lower) * (rank - passed) / counts[index]
        passed += counts[index]
    return bounds[-1]


def _count(families: Iterable[FamilySnapshot]) -> dict[str, _Totals]:
    totals: defaultdict[str, _Totals] = defaultdict(_Totals)
    for family in families:
        if (add := _ADD.get(family.definition.name)) is not None:
            for sample in family.samples:
                add(totals, sample, family.definition.bounds)
    return dict(totals)


Totals = defaultdict[str, _Totals]


def _plugin_requests(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    plugin, outcome = sample.labels[0], sample.labels[-1]
    if outcome != "skipped":
        totals[plugin].requests += sample.value
    if outcome == "failed":
        totals[plugin].errors += sample.value
    elif outcome == "answered":
        totals[plugin].answered += sample.value


def _plugin_duration(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    totals[sample.labels[0]].observe(bounds, sample.counts or [])


def _plugin_in_flight(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    totals[sample.labels[0]].in_flight += sample.value


def _http_requests(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    code = int(sample.labels[-1])
    totals[GATEWAY].requests += sample.value
    if code == 0 or code >= 500:
        totals[GATEWAY].errors += sample.value


def _http_duration(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    totals[GATEWAY].observe(bounds, sample.counts or [])


def _http_in_flight(totals: Totals, sample: Sample, bounds: Sequence[float]) -> None:
    totals[GATEWAY].in_flight += sample.value


_ADD: Mapping[str, Callable[[Totals, Sample, Sequence[float]], None]] = {
    PLUGIN_REQUESTS.name: _plugin_requests,
    PLUGIN_DURATION.name: _plugin_duration,
    PLUGIN_IN_FLIGHT: _plugin_in_flight,
    HTTP_REQUESTS.name: _http_requests,
    HTTP_DURATION.name: _http_duration,
    HTTP_NUMBERS["in_flight"].name: _http_in_flight,
}
