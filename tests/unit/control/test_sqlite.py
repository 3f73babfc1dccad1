"""The store on a real database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.control import (
    Desired,
    Enable,
    Entry,
    Operation,
    OperationState,
    PluginSpec,
    Quarantined,
    Revision,
    SqliteKeyValue,
    SqliteStore,
    Step,
    _sqlite,
)
from plugbay.kernel import ConfigVersion, Conflict, IllegalTransition
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SPEC = PluginSpec(id="p", version="1.0", digest="d", config={"n": [1, {"x": None}]})
DESIRED = Desired(revision=1, plugins={"p": SPEC}, changed={"plugins/p": 1})
VERSION = ConfigVersion(version=1, config=SPEC.config, created=1.0, author="me")
MARK = Quarantined(plugin="p", instance=("d", 1, 0), worker="w", reason="why", since=2.0)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "x.sqlite3")
    yield database
    database.close()


def _operation(sequence: int, **fields: Any) -> Operation:
    base: dict[str, Any] = {"actor": "me", "created": 1.0, "updated": 1.0, "steps": {}}
    change = Enable(plugin="p", digest="d")
    return Operation(id=f"op-{sequence}", sequence=sequence, change=change, **(base | fields))


def test_an_empty_store_has_revision_zero(db: Database) -> None:
    store = SqliteStore(db)
    assert store.committed() == Desired()
    assert store.revision(1) is None
    assert store.operation("op-1") is None
    assert [*store.operations(), *store.unfinished(), *store.quarantined()] == []


def test_a_commit_keeps_all_of_it(db: Database, run: Callable[..., Any]) -> None:
    store = SqliteStore(db)
    operation = _operation(1).to(OperationState.PREPARING, 1.0)
    committing = operation.to(OperationState.COMMITTING, 2.0, revision=1)
    committing = committing.with_step(Step(worker="w", state="prepared"), 2.0)
    revision = Revision(desired=DESIRED, operation="op-1", created=2.0, touched=("plugins/p",))

    async def story() -> None:
        await store.save(operation)
        await store.quarantine(MARK)
        assert store.quarantined() == [MARK]
        await store.commit(revision, committing, [("p", VERSION)])
        with pytest.raises(Conflict, match="cannot follow"):
            await store.commit(revision, _operation(2), [])

    run(story())
    again = SqliteStore(db)
    assert again.committed() == DESIRED
    assert again.revision(1) == revision
    assert again.operation("op-1") == committing
    assert again.operation("op-2") is None
    assert again.configs("p") == [VERSION]
    assert again.quarantined() == []  # what was touched gets another try


def test_operations_are_found_by_key_and_by_page(db: Database, run: Callable[..., Any]) -> None:
    store = SqliteStore(db)
    first = _operation(1, idempotency_key="k")
    third = _operation(3, actor="other", idempotency_key="k")

    async def story() -> None:
        for operation in (first, _operation(2).to(OperationState.CANCELLED, 2.0), third):
            await store.save(operation)
            await store.save(operation)

    run(story())
    assert store.by_key("me", "k") == first
    assert store.by_key("other", "k") == third
    assert store.by_key("me", "none") is None
    assert [operation.sequence for operation in store.operations(limit=2)] == [3, 2]
    assert [operation.sequence for operation in store.operations(before=2)] == [1]
    assert store.unfinished() == [first, third]
    assert first.kind == "enable"
    with pytest.raises(IllegalTransition):
        first.to(OperationState.SUCCEEDED, 1.0)


def test_the_journal_keeps_the_latest(
    db: Database, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite, "JOURNAL", 3)
    store = SqliteStore(db)
    entries = [Entry(id=n, time=1.0, topic="t", data={"n": n}) for n in range(1, 6)]

    async def story() -> None:
        await store.record([])
        await store.record(entries[:2])
        await store.record(entries[2:])

    run(story())
    assert store.entries() == entries[2:]
    assert store.entries(after=3, limit=1) == entries[3:4]


class Clock:
    now = 100.0

    def time(self) -> float:
        return self.now

    monotonic = time


def test_plugins_keep_small_things_until_they_expire(db: Database, run: Callable[..., Any]) -> None:
    SqliteStore(db)
    clock = Clock()
    kv = SqliteKeyValue(db, clock)

    async def story() -> None:
        await kv.set("p", "a_1", b"x", None)
        await kv.set("p", "a%2", b"y", 10.0)
        await kv.set("q", "a", b"other", None)
        assert await kv.get("p", "a_1") == b"x"
        assert await kv.keys("p", "a") == ["a%2", "a_1"]
        assert await kv.keys("p", "a%") == ["a%2"]
        clock.now = 110.0
        assert await kv.get("p", "a%2") is None
        assert await kv.keys("p", "") == ["a_1"]
        await kv.set("p", "b", b"", None)
        await kv.delete("p", "a_1")
        await kv.delete("p", "a_1")
        assert await kv.keys("p", "") == ["b"]
        assert await kv.get("q", "a") == b"other"

    run(story())


def test_of_several_that_swap_one_wins(db: Database, run: Callable[..., Any]) -> None:
    SqliteStore(db)
    clock = Clock()
    kv = SqliteKeyValue(db, clock)

    async def story() -> None:
        assert not await kv.swap("p", "a", b"x", b"y", None)
        first = [kv.swap("p", "a", None, b"%d" % n, 10.0) for n in range(5)]
        assert sorted(await asyncio.gather(*first)) == [False] * 4 + [True]
        there = await kv.get("p", "a")
        assert await kv.swap("p", "a", there, b"z", 10.0)
        assert not await kv.swap("p", "a", there, b"late", None)
        clock.now = 110.0
        assert await kv.swap("p", "a", None, b"", None)  # the other one has expired
        assert await kv.get("p", "a") == b""
        assert not await kv.swap("q", "a", b"", b"x", None)

    run(story())
