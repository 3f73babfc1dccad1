"""The families of events between plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.observability._registry import Registry


class EventMetrics:
    """Counts what became of events, by the plugin that listens; for a worker's event bus."""

    def __init__(self, registry: Registry) -> None:
        self._delivered = registry.counter(
            "plugbay_events_delivered_total", "Events that a listening plugin took.", ("plugin",)
        )
        self._dropped = registry.counter(
            "plugbay_events_dropped_total",
            "Events lost because a listening plugin's queue was full.",
            ("plugin",),
        )

    def delivered(self, listener: str) -> None:
        """Count an event that was taken."""
        self._delivered.value(listener).inc()

    def dropped(self, listener: str) -> None:
        """Count an event that was lost."""
        self._dropped.value(listener).inc()
