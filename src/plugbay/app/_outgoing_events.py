"""Events of plugins on their way to the other workers: some a second, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.kernel import Clock
    from plugbay.observability import EventMetrics

    Send = Callable[[str, str, dict[str, Any]], bool]

PER_SECOND = 5000
"""Events of one plugin that leave a worker in a second. The plugins here hear all of them."""


class OutgoingEvents:
    """Sends events by `send`, which says whether they went, and counts those that did not."""

    def __init__(self, clock: Clock, meter: EventMetrics, send: Send) -> None:
        self._clock, self._meter, self._send = clock, meter, send
        self._second = 0
        self._counts: dict[str, int] = {}

    def publish(self, topic: str, source: str, data: dict[str, Any]) -> None:
        """Send an event of the plugin `source`, unless it has sent enough for this second."""
        self._meter.published(source)
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self._counts.clear()
        self._counts[source] = said = self._counts.get(source, 0) + 1
        if said > PER_SECOND or not self._send(topic, source, data):
            self._meter.unsent(source)
