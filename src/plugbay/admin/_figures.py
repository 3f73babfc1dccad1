"""What is counted of a plugin, as the routes show it."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from collections.abc import Iterable
from typing import Protocol

import msgspec

from plugbay.observability import McpTotals, OwnMetric, PluginTotals, TrafficPoint


class Figures(Protocol):
    """The metrics, by plugin, and of MCP messages by route."""

    def totals(self, plugin: str) -> PluginTotals: ...
    def own(self, plugin: str) -> tuple[OwnMetric, ...]: ...
    def mcp(self, routes: Iterable[str]) -> McpTotals: ...


class PluginFiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's figures over all workers: totals since the gateway was started, the metrics that
    it declares itself, and its traffic of the last minutes, the oldest point first."""

    plugin: str
    totals: PluginTotals
    own: tuple[OwnMetric, ...]
    series: tuple[TrafficPoint, ...]
