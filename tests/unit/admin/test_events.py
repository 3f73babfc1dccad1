"""The journal and its event stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.admin import Journal
from plugbay.admin._journal import KEPT, PASSING, PassingEvent
from plugbay.admin._sse import HEARTBEAT, encode, with_heartbeat
from plugbay.control import Entry, SqliteStore
from plugbay.kernel import Unavailable
from plugbay.storage import Database

from .conftest import Clock, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


async def take(entries: AsyncIterator[Entry | PassingEvent | None], count: int) -> list[str]:
    async with asyncio.timeout(100):
        found = [await anext(entries) for _ in range(count)]
    return ["reset" if entry is None else entry.topic for entry in found]


class MemoryStore:
    """A journal's store whose first writes fail."""

    def __init__(self, *, failures: int = 0) -> None:
        self.kept: list[Entry] = []
        self._failures = failures
        self.wrote = asyncio.Event()

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        return [entry for entry in self.kept if entry.id > after][:limit]

    async def record(self, entries: Sequence[Entry]) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("the disk is full")
        self.kept.extend(entries)
        self.wrote.set()


def test_events_are_replayed_by_id_then_followed() -> None:
    async def story() -> None:
        journal = Journal(MemoryStore(), Clock())
        for number in range(3):
            journal.publish(f"t.{number}", {})
        behind, fresh = journal.follow(1), journal.follow(None)
        assert await take(behind, 2) == ["t.1", "t.2"]
        waiting = asyncio.ensure_future(take(fresh, 1))
        also = asyncio.ensure_future(take(behind, 1))
        await asyncio.sleep(0)
        journal.publish("t.3", {})
        assert await waiting == ["t.3"]
        assert await also == ["t.3"]

    asyncio.run(story())


def test_who_follows_has_what_happens_before_the_first_is_read() -> None:
    async def story() -> None:
        journal = Journal(MemoryStore(), Clock())
        journal.publish("before", {})
        entries = journal.follow(None)
        journal.tell("plugins", "waf", {})
        journal.publish("own", {})
        assert await take(entries, 2) == ["own", "plugins"]

    asyncio.run(story())


def test_a_reader_is_told_when_something_was_forgotten() -> None:
    async def story() -> None:
        journal = Journal(MemoryStore(), Clock())
        for number in range(KEPT + 10):
            journal.publish(f"t.{number}", {})
        assert await take(journal.follow(2), 2) == ["reset", "t.10"]
        assert await take(journal.follow(10), 1) == ["t.10"]
        # An id from another life of the database.
        future = journal.follow(10**9)
        assert await take(future, 1) == ["reset"]
        waiting = asyncio.ensure_future(take(future, 1))
        await asyncio.sleep(0)
        journal.publish("new", {})
        assert await waiting == ["new"]

    asyncio.run(story())


class Lost:
    """A meter of the stream."""

    def __init__(self) -> None:
        self.taken = self.lost = 0

    def delivered(self, listener: str) -> None:
        self.taken += 1

    def dropped(self, listener: str) -> None:
        self.lost += 1


def test_events_of_plugins_pass_by_and_are_not_kept() -> None:
    async def story() -> None:
        meter = Lost()
        journal = Journal(MemoryStore(), Clock(), meter=meter)
        journal.tell("threat.seen", "guard", {})  # nobody follows
        reader = journal.follow(None, lambda topic: topic != "threat.other")
        waiting = asyncio.ensure_future(take(reader, 1))
        await asyncio.sleep(0)
        journal.tell("threat.other", "guard", {})
        journal.tell("threat.seen", "guard", {"n": 1})
        assert await waiting == ["threat.seen"]
        for number in range(PASSING + 3):
            journal.tell(f"t.{number}", "guard", {})
        journal.publish("kept", {})
        found = await take(reader, PASSING + 1)
        assert found[:2] == ["kept", "t.3"]
        assert (meter.taken, meter.lost) == (PASSING + 1, 3)
        assert await take(journal.follow(0), 1) == ["kept"]

    asyncio.run(story())


def test_a_slow_reader_costs_nothing_and_is_told() -> None:
    async def story() -> None:
        journal = Journal(MemoryStore(), Clock())
        journal.publish("first", {})
        slow = journal.follow(0)
        assert await take(slow, 1) == ["first"]
        for number in range(KEPT + 1):
            journal.publish(f"t.{number}", {})
        assert await take(slow, 2) == ["reset", "t.1"]

    asyncio.run(story())


def test_ids_grow_across_restarts_and_failed_writes_are_tried_again(tmp_path: Path) -> None:
    async def first(store: MemoryStore) -> None:
        journal = Journal(store, Clock())
        running = asyncio.ensure_future(journal.run())
        journal.publish("one", {})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        journal.publish("two", {"a": 1})
        async with asyncio.timeout(100):
            await store.wrote.wait()
        running.cancel()
        assert [entry.topic for entry in store.kept] == ["one", "two"]

    async def second(store: SqliteStore, kept: list[Entry]) -> None:
        await store.record(kept)
        journal = Journal(store, Clock())
        assert await take(journal.follow(0), 2) == ["one", "two"]
        journal.publish("three", {})
        entry = await anext(journal.follow(2))
        assert isinstance(entry, Entry)
        assert entry.id == 3

    async def both() -> None:
        memory = MemoryStore(failures=1)
        await first(memory)
        db = Database.open(tmp_path / "db.sqlite3")
        await second(SqliteStore(db), memory.kept)
        db.close()

    asyncio.run(both())


def test_a_stream_beats_while_nothing_happens_and_ends() -> None:
    async def story() -> None:
        go = asyncio.Event()

        async def events() -> AsyncIterator[bytes]:
            yield encode("a", {"x": "1\n2"}, id_=7)
            await go.wait()
            yield encode("b", None)

        stream = with_heartbeat(events(), 0.01)
        assert await anext(stream) == b'id: 7\nevent: a\ndata: {"x":"1\\n2"}\n\n'
        assert await anext(stream) == HEARTBEAT
        go.set()
        rest = [chunk async for chunk in stream]
        assert rest[-1] == b"event: b\ndata: null\n\n"

        async def endless() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        abandoned = with_heartbeat(endless(), 0.01)
        assert await anext(abandoned) == HEARTBEAT
        await abandoned.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


def test_a_wrong_last_event_id_is_refused(world: World) -> None:
    answer = world.ask("GET", "/events", headers={"last-event-id": "x"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")
