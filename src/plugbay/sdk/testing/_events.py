"""An event bus that only remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.sdk._host import Event

if TYPE_CHECKING:
    from plugbay.sdk._host import Clock


class FakeEvents:
    """Keeps what the plugin published, in `published`."""

    def __init__(self, source: str, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self.published: list[Event] = []

    def publish(self, topic: str, /, **data: object) -> None:
        """Remember the event."""
        self.published.append(Event(topic, self._source, self._clock.time(), data))

    def of(self, topic: str) -> list[Event]:
        """Return the events of one topic, oldest first."""
        return [event for event in self.published if event.topic == topic]
