"""The metrics of one process: families that somebody counts, and what collectors know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from plugbay.observability._collectors import (
    SeriesSet,
    collect_plugins,
    collect_routes,
    collect_upstreams,
)
from plugbay.observability._family import MAX_SERIES, Definition, Family, FamilySnapshot, Sample
from plugbay.observability._series import PluginSeries, RouteSeries, UpstreamSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.observability._collectors import Collector
    from plugbay.observability._family import Combine

REFUSED = Definition(
    "plugbay_metrics_overflow_total",
    "counter",
    "Look-ups of a label set that found its family full; they count in its overflow series.",
    ("family",),
)

_encoder = msgspec.msgpack.Encoder()


class Registry:
    """Every metric of a process. `limit` bounds the series of each family."""

    def __init__(self, *, limit: int = MAX_SERIES) -> None:
        self._limit = limit
        self._families: dict[Definition, Family] = {}
        self._collectors: list[Collector] = []
        self._plugins = SeriesSet(PluginSeries, 3, limit)
        self._routes = SeriesSet(RouteSeries, 1, limit)
        self._upstreams = SeriesSet(UpstreamSeries, 2, limit)

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Family:
        """Return the family of counters `name`, made on first use. Raises `ValueError`."""
        return self._family(Definition(name, "counter", help, tuple(labels)))

    def gauge(
        self, name: str, help: str, labels: Sequence[str] = (), *, combine: Combine = "sum"
    ) -> Family:
        """Return the family of gauges `name`, made on first use. Raises `ValueError`."""
        return self._family(Definition(name, "gauge", help, tuple(labels), combine=combine))

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, bounds: Sequence[float]
    ) -> Family:
        """Return the family of histograms `name`, made on first use. Raises `ValueError`."""
        return self._family(Definition(name, "histogram", help, tuple(labels), tuple(bounds)))

    def _family(self, definition: Definition) -> Family:
        family = self._families.get(definition)
        if family is None:
            family = self._families[definition] = Family(definition, limit=self._limit)
        return family

    def plugin(self, plugin: str, version: str, phase: str) -> PluginSeries:
        """Return the series of a plugin's version in a phase."""
        return self._plugins.get(plugin, version, phase)

    def route(self, route: str) -> RouteSeries:
        """Return the series of a route."""
        return self._routes.get(route)

    def upstream(self, upstream: str, target: str) -> UpstreamSeries:
        """Return the series of one target of an upstream."""
        return self._upstreams.get(upstream, target)

    def add(self, collector: Collector) -> None:
        """Ask `collector` too, at each snapshot."""
        self._collectors.append(collector)

    def collect(self) -> list[FamilySnapshot]:
        """Return every family that has a series, as it is now."""
        collected = [
            *collect_plugins(self._plugins),
            *collect_routes(self._routes),
            *collect_upstreams(self._upstreams),
            *(family.snapshot() for family in self._families.values()),
            *(one for collector in self._collectors for one in collector.collect()),
            self._overflow(),
        ]
        return [family for family in collected if family.samples]

    def _overflow(self) -> FamilySnapshot:
        refused = {
            "plugbay_plugin_requests_total": self._plugins.refused,
            "plugbay_http_requests_total": self._routes.refused,
            "plugbay_upstream_requests_total": self._upstreams.refused,
        }
        for definition, family in self._families.items():
            refused[definition.name] = refused.get(definition.name, 0) + family.refused
        return FamilySnapshot(REFUSED, [Sample((k,), n) for k, n in refused.items() if n])

    def snapshot(self) -> bytes:
        """Return `collect()` as MessagePack, for `Merged.update` in the supervisor."""
        return _encoder.encode(self.collect())
