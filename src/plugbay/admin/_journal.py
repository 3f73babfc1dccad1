"""The event journal: bounded, replayed by id, and followed live by any number of readers."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from plugbay.control import Entry
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from plugbay.kernel import Clock, EventMeter

KEPT = 1000
PASSING = 256
"""Events of plugins that wait for one reader; the oldest are lost first."""
STREAM = "admin:events"
"""Who listens, for the counters: no plugin can have this id."""


class JournalStore(Protocol):
    """Where the journal is kept; it forgets the oldest entries beyond its own bound."""

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Entries with a greater id, oldest first."""
        ...

    async def record(self, entries: Sequence[Entry]) -> None:
        """Append durably. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PassingEvent:
    """An event of a plugin: shown to who follows now, and not kept."""

    time: float
    topic: str
    source: str
    data: dict[str, Any]


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Reader:
    """Who follows."""

    wanted: Callable[[str], bool]
    news: asyncio.Event = field(default_factory=asyncio.Event)
    passing: deque[PassingEvent] = field(default_factory=deque[PassingEvent])


class Journal:
    """Events in the order of their ids, which grow also across restarts.

    `publish` never waits: what it takes is written by `run`, in groups. A reader who is slow is
    behind, but costs nothing: it reads from the same bounded memory as all the others, and is
    told when what it wanted next has been forgotten.

    `tell` is for events of plugins. They are not kept, so that no plugin can make the journal
    forget what the gateway did; each reader has a short queue for them.
    """

    def __init__(
        self, store: JournalStore, clock: Clock, *, meter: EventMeter | None = None
    ) -> None:
        self._store, self._clock, self._meter = store, clock, meter
        self._entries = deque(_latest(store), maxlen=KEPT)
        self._last = self._entries[-1].id if self._entries else 0
        self._unwritten: deque[Entry] = deque(maxlen=KEPT)
        self._written = asyncio.Event()
        self._readers: WeakSet[_Reader] = WeakSet()  # some never begin to read

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Append an event and wake whoever follows."""
        self._last += 1
        entry = Entry(id=self._last, time=self._clock.time(), topic=topic, data=data)
        self._entries.append(entry)
        self._unwritten.append(entry)
        self._written.set()
        for reader in self._readers:
            reader.news.set()

    def tell(self, topic: str, source: str, data: dict[str, Any]) -> None:
        """Show an event of the plugin `source` to whoever follows now and wants its topic."""
        readers = [reader for reader in self._readers if reader.wanted(topic)]
        if not readers:
            return
        event = PassingEvent(time=self._clock.time(), topic=topic, source=source, data=data)
        for reader in readers:
            if len(reader.passing) >= PASSING:
                reader.passing.popleft()
                if self._meter is not None:
                    self._meter.dropped(STREAM)
            reader.passing.append(event)
            reader.news.set()

    async def run(self) -> None:
        """Write what is published, until cancelled. A write that fails is tried with the next."""
        while True:
            await self._written.wait()
            self._written.clear()
            group = list(self._unwritten)
            try:
                await self._store.record(group)
            except Unavailable:
                continue
            while self._unwritten and self._unwritten[0].id <= group[-1].id:
                self._unwritten.popleft()

    def follow(
        self, after: int | None, wanted: Callable[[str], bool] = lambda topic: True
    ) -> AsyncIterator[Entry | PassingEvent | None]:
        """Yield the events behind `after`, or those from this call on; then go on as they come.

        Only those whose topic is `wanted`. None in between says that events were forgotten before
        they could be yielded.
        """
        reader = _Reader(wanted)
        self._readers.add(reader)
        return self._follow(reader, self._last if after is None else after)

    async def _follow(
        self, reader: _Reader, seen: int
    ) -> AsyncIterator[Entry | PassingEvent | None]:
        wanted = reader.wanted
        try:
            while True:
                reader.news.clear()
                fresh = [entry for entry in self._entries if entry.id > seen]
                oldest = self._entries[0].id if self._entries else self._last + 1
                if seen > self._last or seen + 1 < oldest:
                    yield None
                for entry in fresh:
                    if wanted(entry.topic):
                        yield entry
                for _ in range(len(reader.passing)):
                    yield self._taken(reader)
                seen = self._last if seen > self._last else max(seen, *_ids(fresh), oldest - 1)
                if self._last <= seen and not reader.passing:
                    await reader.news.wait()
        finally:
            self._readers.discard(reader)

    def _taken(self, reader: _Reader) -> PassingEvent:
        if self._meter is not None:
            self._meter.delivered(STREAM)
        return reader.passing.popleft()


def _ids(entries: Sequence[Entry]) -> tuple[int, ...]:
    return tuple(entry.id for entry in entries) or (0,)


def _latest(store: JournalStore) -> list[Entry]:
    """The last entries that are kept; the store gives the oldest first."""
    found: list[Entry] = []
    while page := store.entries(after=found[-1].id if found else 0, limit=KEPT):
        found = [*found, *page][-KEPT:]
    return found
