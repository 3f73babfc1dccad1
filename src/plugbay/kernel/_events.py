"""The event bus: publishing never waits, and no listener can make another one wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from plugbay.sdk import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.kernel._ports import Clock


class EventMeter(Protocol):
    """Counts what became of events, by the listener's name: longer than one subscription lives."""

    def delivered(self, listener: str) -> None:
        """A listener has taken an event out of its queue."""
        ...

    def dropped(self, listener: str) -> None:
        """The queue was full, and its oldest event is lost."""
        ...


class Subscription:
    """An async iterator over events, with a queue of its own that drops the oldest when full.

    `dropped` counts those, and `delivered` what was taken out. It ends when it or the bus is
    closed and the queue is empty.
    """

    def __init__(self, bus: EventBus, topics: tuple[str, ...], name: str, queue: int) -> None:
        self.name, self.topics = name, topics
        self.delivered = self.dropped = 0
        self._bus = bus
        self._queue: deque[Event] = deque()
        self._limit = queue
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        self.delivered += 1
        if self._bus.meter is not None:
            self._bus.meter.delivered(self.name)
        return self._queue.popleft()

    def deliver(self, event: Event) -> None:
        """Put an event into the queue; for the bus only."""
        if self._closed:
            return
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self.dropped += 1
            if self._bus.meter is not None:
                self._bus.meter.dropped(self.name)
        self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        """Get no more events; those in the queue can still be read."""
        self._closed = True
        self._bus.forget(self)
        self._wake.set()


class EventBus:
    """Topics and their listeners. A topic is a dotted name, such as `slot.failed`."""

    def __init__(self, clock: Clock, queue: int = 1000, *, meter: EventMeter | None = None) -> None:
        if queue < 1:
            raise ValueError("a queue holds at least one event")
        self._clock, self._queue, self.meter = clock, queue, meter
        self._exact: dict[str, list[Subscription]] = {}
        self._prefixes: dict[str, list[Subscription]] = {}
        self._closed = False

    def publish(self, topic: str, source: str, data: Mapping[str, object]) -> int:
        """Hand an event to all who listen; return how many do. A closed bus has no listeners."""
        listeners = self._listeners(topic)
        if listeners:
            event = Event(topic, source, self._clock.time(), dict(data))
            for subscription in listeners:
                subscription.deliver(event)
        return len(listeners)

    def subscribe(self, *topics: str, name: str) -> Subscription:
        """Listen to exact topics, or to all that start with what stands before a final `*`.

        Raises `ValueError` for no topic at all, and for a `*` elsewhere.
        """
        if not topics or any("*" in topic[:-1] or not topic for topic in topics):
            raise ValueError(f"a topic is a name, or a prefix and a final *: {topics!r}")
        subscription = Subscription(self, topics, name, self._queue)
        for topic in topics:
            table, key = self._place(topic)
            table.setdefault(key, []).append(subscription)
        if self._closed:
            subscription.close()
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop delivering to a subscription; for subscriptions only."""
        for topic in subscription.topics:
            table, key = self._place(topic)
            left = [other for other in table.get(key, ()) if other is not subscription]
            if left:
                table[key] = left
            else:
                table.pop(key, None)

    def close(self) -> None:
        """End every subscription, once its queue has been read."""
        self._closed = True
        for subscription in self.subscriptions:
            subscription.close()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """All who listen, each once."""
        tables = (self._exact, self._prefixes)
        every = (listed for table in tables for lists in table.values() for listed in lists)
        return tuple(dict.fromkeys(every))

    def _place(self, topic: str) -> tuple[dict[str, list[Subscription]], str]:
        return (self._prefixes, topic[:-1]) if topic.endswith("*") else (self._exact, topic)

    def _listeners(self, topic: str) -> tuple[Subscription, ...]:
        found = list(self._exact.get(topic, ()))
        for prefix, listed in self._prefixes.items():
            if topic.startswith(prefix):
                found += listed
        return tuple(dict.fromkeys(found))
