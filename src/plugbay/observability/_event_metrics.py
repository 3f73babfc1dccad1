"""The families of events between plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.observability._registry import Registry

EVENT_FAMILIES = {
    "published": "plugbay_events_published_total",
    "unsent": "plugbay_events_unsent_total",
    "delivered": "plugbay_events_delivered_total",
    "dropped": "plugbay_events_dropped_total",
}
"""Names by what they count of a plugin."""


class EventMetrics:
    """Counts what became of events, by the plugin that publishes or listens."""

    def __init__(self, registry: Registry) -> None:
        self._published = registry.counter(
            EVENT_FAMILIES["published"], "Events that a plugin published.", ("plugin",)
        )
        self._unsent = registry.counter(
            EVENT_FAMILIES["unsent"],
            "Events that only the plugins of their own worker heard.",
            ("plugin",),
        )
        self._delivered = registry.counter(
            EVENT_FAMILIES["delivered"], "Events that a listening plugin took.", ("plugin",)
        )
        self._dropped = registry.counter(
            EVENT_FAMILIES["dropped"],
            "Events lost because a listening plugin's queue was full.",
            ("plugin",),
        )

    def published(self, plugin: str) -> None:
        """Count an event that a plugin published."""
        self._published.value(plugin).inc()

    def unsent(self, plugin: str) -> None:
        """Count an event that did not leave its worker."""
        self._unsent.value(plugin).inc()

    def delivered(self, listener: str) -> None:
        """Count an event that was taken."""
        self._delivered.value(listener).inc()

    def dropped(self, listener: str) -> None:
        """Count an event that was lost."""
        self._dropped.value(listener).inc()
