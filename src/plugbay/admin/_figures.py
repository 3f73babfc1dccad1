"""What is counted of a plugin, as the routes show it."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import TYPE_CHECKING, Protocol

import msgspec

from plugbay.observability import OwnMetric, PluginTotals, TrafficPoint

if TYPE_CHECKING:
    from plugbay.admin._context import Context


class Figures(Protocol):
    """The metrics, by plugin."""

    def totals(self, plugin: str) -> PluginTotals: ...
    def own(self, plugin: str) -> tuple[OwnMetric, ...]: ...


class PluginFiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's figures over all workers: totals since the gateway was started, the metrics that
    it declares itself, and its traffic of the last minutes, the oldest point first."""

    plugin: str
    totals: PluginTotals
    own: tuple[OwnMetric, ...]
    series: tuple[TrafficPoint, ...]


def figures_of(context: "Context", plugin: str) -> PluginFiguresView:
    """Gather them."""
    services = context.services
    return PluginFiguresView(
        plugin=plugin,
        totals=services.figures.totals(plugin),
        own=services.figures.own(plugin),
        series=tuple(services.traffic.plugin(plugin)),
    )
