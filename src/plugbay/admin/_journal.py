"""The event journal: bounded, replayed by id, and followed live by any number of readers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.control import Entry
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from plugbay.kernel import Clock

KEPT = 1000


class JournalStore(Protocol):
    """Where the journal is kept; it forgets the oldest entries beyond its own bound."""

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Entries with a greater id, oldest first."""
        ...

    async def record(self, entries: Sequence[Entry]) -> None:
        """Append durably. Raises `Unavailable`."""
        ...


class Journal:
    """Events in the order of their ids, which grow also across restarts.

    `publish` never waits: what it takes is written by `run`, in groups. A reader who is slow is
    behind, but costs nothing: it reads from the same bounded memory as all the others, and is
    told when what it wanted next has been forgotten.
    """

    def __init__(self, store: JournalStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._entries = deque(_latest(store), maxlen=KEPT)
        self._last = self._entries[-1].id if self._entries else 0
        self._unwritten: deque[Entry] = deque(maxlen=KEPT)
        self._written = asyncio.Event()
        self._news: set[asyncio.Event] = set()

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Append an event and wake whoever follows."""
        self._last += 1
        entry = Entry(id=self._last, time=self._clock.time(), topic=topic, data=data)
        self._entries.append(entry)
        self._unwritten.append(entry)
        self._written.set()
        for news in self._news:
            news.set()

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

    async def follow(self, after: int | None) -> AsyncIterator[Entry | None]:
        """Yield the events behind `after`, or only new ones; then go on as they come.

        None in between says that events were forgotten before they could be yielded.
        """
        seen = self._last if after is None else after
        news = asyncio.Event()
        self._news.add(news)
        try:
            while True:
                news.clear()
                fresh = [entry for entry in self._entries if entry.id > seen]
                oldest = self._entries[0].id if self._entries else self._last + 1
                if seen > self._last or seen + 1 < oldest:
                    yield None
                for entry in fresh:
                    yield entry
                seen = self._last if seen > self._last else max(seen, *_ids(fresh), oldest - 1)
                if self._last <= seen:
                    await news.wait()
        finally:
            self._news.discard(news)


def _ids(entries: Sequence[Entry]) -> tuple[int, ...]:
    return tuple(entry.id for entry in entries) or (0,)


def _latest(store: JournalStore) -> list[Entry]:
    """The last entries that are kept; the store gives the oldest first."""
    found: list[Entry] = []
    while page := store.entries(after=found[-1].id if found else 0, limit=KEPT):
        found = [*found, *page][-KEPT:]
    return found
