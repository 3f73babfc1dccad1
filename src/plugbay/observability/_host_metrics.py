"""The metrics that a plugin declares itself: `sdk.Metrics` on the registry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, TypeVar

from plugbay.observability._changes import PLUGIN_FAMILIES
from plugbay.observability._collectors import PLUGIN_DURATION, PLUGIN_REQUESTS
from plugbay.observability._family import OVERFLOW, Value
from plugbay.observability._plugin_use import USE_FAMILIES
from plugbay.observability._series import REQUEST_SECONDS, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.observability._family import Family
    from plugbay.observability._registry import Registry

MAX_PLUGIN_SERIES = 200
MAX_PLUGIN_FAMILIES = 50
MAX_LABEL = 128
MAX_BUCKETS = 40

RESERVED = frozenset(
    {PLUGIN_REQUESTS.name, PLUGIN_DURATION.name, *PLUGIN_FAMILIES, *USE_FAMILIES.values()}
)
"""Names of the gateway's own that an id and a name could add up to (`requests` + `total`)."""

S = TypeVar("S")


class HostMetrics:
    """Metrics of one version of one plugin, bounded so that it cannot fill the gateway's memory.

    A plugin may have `MAX_PLUGIN_FAMILIES` metrics with `MAX_PLUGIN_SERIES` label sets each;
    further label sets are counted in one series whose own labels all say `overflow`.
    """

    def __init__(self, registry: Registry, plugin: str, version: str) -> None:
        self._registry = registry
        self._owner = (plugin, version)
        self._prefix = prefix_of(plugin)
        self._counters: dict[str, _Counter] = {}
        self._gauges: dict[str, _Gauge] = {}
        self._histograms: dict[str, _Histogram] = {}

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> _Counter:
        """Return the counter. Raises `ValueError` for a name or label that is not allowed."""
        if name not in self._counters:
            family = self._registry.counter(self._declare(name), help, _labels(labels))
            series = _Bounded(family, self._owner, labels, family.value)
            self._counters[name] = _Counter(series)
        return self._counters[name]

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> _Gauge:
        """Return the gauge; workers' values are added up. Raises `ValueError` likewise."""
        if name not in self._gauges:
            family = self._registry.gauge(self._declare(name), help, _labels(labels))
            self._gauges[name] = _Gauge(_Bounded(family, self._owner, labels, family.value))
        return self._gauges[name]

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()
    ) -> _Histogram:
        """Return the histogram; without `buckets`, those of a request's time. Raises likewise."""
        if name not in self._histograms:
            bounds = tuple(float(bound) for bound in buckets) or REQUEST_SECONDS
            if len(bounds) > MAX_BUCKETS or not all(map(math.isfinite, bounds)):
                raise ValueError(f"{name}: a histogram has at most {MAX_BUCKETS} finite buckets")
            full = self._declare(name)
            family = self._registry.histogram(full, help, _labels(labels), bounds=bounds)
            series = _Bounded(family, self._owner, labels, family.histogram)
            self._histograms[name] = _Histogram(series)
        return self._histograms[name]

    def _declare(self, name: str) -> str:
        """Return the exported name of a metric that is not declared yet."""
        declared = [*self._counters, *self._gauges, *self._histograms]
        if name in declared:
            raise ValueError(f"the metric {name!r} is declared already, as another kind")
        if len(declared) >= MAX_PLUGIN_FAMILIES:
            raise ValueError(f"a plugin has at most {MAX_PLUGIN_FAMILIES} metrics")
        full = self._prefix + name
        if full in RESERVED:
            raise ValueError(f"the metric {full} is the gateway's own; choose another name")
        return full


def prefix_of(plugin: str) -> str:
    """Return what the exported names of a plugin's metrics begin with."""
    return f"plugbay_plugin_{plugin.replace('-', '_')}_"


def _labels(own: Sequence[str]) -> tuple[str, ...]:
    return ("plugin", "version", *own)


class _Bounded(Generic[S]):
    """The series of a family that belong to one version of a plugin."""

    __slots__ = ("_family", "_make", "_names", "_owner", "_series")

    def __init__(
        self,
        family: Family,
        owner: tuple[str, str],
        names: Sequence[str],
        make: Callable[..., S],
    ) -> None:
        self._family, self._owner, self._names, self._make = family, owner, tuple(names), make
        self._series: dict[tuple[str, ...], S] = {}

    def get(self, labels: dict[str, str]) -> S:
        """Return the series. Raises `ValueError` unless exactly the declared labels are given."""
        try:
            values = tuple([labels[name] for name in self._names])
        except KeyError:
            values = ()
        if len(labels) != len(self._names) or len(values) != len(self._names):
            raise ValueError(f"expected the labels {self._names}, got {tuple(labels)}")
        series = self._series.get(values)
        return self._add(values) if series is None else series

    def _add(self, values: tuple[str, ...]) -> S:
        cut = tuple(str(value)[:MAX_LABEL] for value in values)
        if cut not in self._series and len(self._series) >= MAX_PLUGIN_SERIES:
            self._family.refused += 1
            cut = (OVERFLOW,) * len(cut)
        series = self._series.get(cut)
        if series is None:
            series = self._series[cut] = self._make(*self._owner, *cut)
        return series


class _Counter:
    """`sdk.Counter`."""

    __slots__ = ("_bounded",)

    def __init__(self, bounded: _Bounded[Value]) -> None:
        self._bounded = bounded

    def inc(self, amount: float = 1.0, /, **labels: str) -> None:
        """Add `amount`. Raises `ValueError` if it is negative or not finite."""
        if not 0 <= amount < math.inf:
            raise ValueError(f"a counter only grows: {amount}")
        self._bounded.get(labels).value += amount


class _Gauge:
    """`sdk.Gauge`."""

    __slots__ = ("_bounded",)

    def __init__(self, bounded: _Bounded[Value]) -> None:
        self._bounded = bounded

    def set(self, value: float, /, **labels: str) -> None:
        """Set the series."""
        self._bounded.get(labels).value = float(value)


class _Histogram:
    """`sdk.Histogram`."""

    __slots__ = ("_bounded",)

    def __init__(self, bounded: _Bounded[Histogram]) -> None:
        self._bounded = bounded

    def observe(self, value: float, /, **labels: str) -> None:
        """Count `value`. Raises `ValueError` if it is not a number."""
        if math.isnan(value):
            raise ValueError("not a number")
        self._bounded.get(labels).observe(value)
