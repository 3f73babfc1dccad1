"""The store on SQLite. Documents are JSON, so that they can be read with any tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from plugbay.control._model import Desired
from plugbay.control._operation import Operation
from plugbay.control._store import Entry, Quarantined, Revision
from plugbay.kernel import ConfigVersion, Conflict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from plugbay.kernel import Clock
    from plugbay.storage import Database

T = TypeVar("T")

JOURNAL = 10_000
"""Events that are kept."""

STEPS = (
    """
    CREATE TABLE revisions (
        revision INTEGER PRIMARY KEY,
        operation TEXT NOT NULL,
        created REAL NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE TABLE committed (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL
        REFERENCES revisions (revision)) STRICT;
    CREATE TABLE operations (
        id TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL UNIQUE,
        finished INTEGER NOT NULL,
        actor TEXT NOT NULL,
        idempotency_key TEXT,
        document BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX operations_by_key ON operations (actor, idempotency_key);
    CREATE INDEX operations_unfinished ON operations (sequence) WHERE finished = 0;
    CREATE TABLE configs (
        plugin TEXT NOT NULL,
        version INTEGER NOT NULL,
        document BLOB NOT NULL,
        PRIMARY KEY (plugin, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE quarantine (
        plugin TEXT NOT NULL,
        worker TEXT NOT NULL,
        document BLOB NOT NULL,
        PRIMARY KEY (plugin, worker)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE journal (id INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;
    CREATE TABLE plugin_kv (
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        expires REAL,
        PRIMARY KEY (plugin, key)
    ) STRICT, WITHOUT ROWID;
    """,
)


class SqliteStore:
    """Implements `Store`. The database stays its opener's."""

    def __init__(self, db: Database) -> None:
        db.migrate("control", STEPS)
        self._db = db

    def committed(self) -> Desired:
        """Return the last committed desired state; an empty one at revision 0 at first."""
        rows = self._db.read(
            "SELECT document FROM revisions WHERE revision = (SELECT revision FROM committed)"
        )
        return _decode(rows[0][0], Revision).desired if rows else Desired()

    def revision(self, number: int) -> Revision | None:
        """Return one revision, or None."""
        sql = "SELECT document FROM revisions WHERE revision = ?"
        return self._one(Revision, sql, number)

    def operation(self, id: str) -> Operation | None:
        """Return one operation, or None."""
        return self._one(Operation, "SELECT document FROM operations WHERE id = ?", id)

    def operations(self, *, limit: int = 100, before: int = 0) -> list[Operation]:
        """Return the latest ones, newest first; `before` a sequence number, to page on."""
        sql = (
            "SELECT document FROM operations WHERE (? = 0 OR sequence < ?) "
            "ORDER BY sequence DESC LIMIT ?"
        )
        return self._all(Operation, sql, before, before, limit)

    def by_key(self, actor: str, key: str) -> Operation | None:
        """Return the operation that this actor has submitted with this idempotency key."""
        sql = "SELECT document FROM operations WHERE actor = ? AND idempotency_key = ?"
        return self._one(Operation, sql, actor, key)

    def unfinished(self) -> list[Operation]:
        """Return those in a state that something must follow, in the order of submission."""
        sql = "SELECT document FROM operations WHERE finished = 0 ORDER BY sequence"
        return self._all(Operation, sql)

    def configs(self, plugin: str) -> list[ConfigVersion]:
        """Return all versions of a plugin's configuration, oldest first."""
        sql = "SELECT document FROM configs WHERE plugin = ? ORDER BY version"
        return self._all(ConfigVersion, sql, plugin)

    def quarantined(self) -> list[Quarantined]:
        """Return all quarantine marks."""
        return self._all(Quarantined, "SELECT document FROM quarantine ORDER BY plugin, worker")

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return the journal's events with a greater id, oldest first."""
        sql = "SELECT document FROM journal WHERE id > ? ORDER BY id LIMIT ?"
        return self._all(Entry, sql, after, limit)

    async def save(self, operation: Operation) -> None:
        """Keep this state of an operation."""
        await self._db.write(lambda db: _save(db, operation))

    async def commit(
        self, revision: Revision, operation: Operation, configs: Sequence[tuple[str, ConfigVersion]]
    ) -> None:
        """Make a revision the committed one, all of it or nothing. Raises `Conflict`."""
        number = revision.desired.revision

        def work(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT revision FROM committed").fetchone()
            known = row[0] if row else 0
            if known != number - 1:
                raise Conflict(f"revision {number} cannot follow the committed {known}")
            document = msgspec.json.encode(revision)
            values = (number, operation.id, revision.created, document)
            db.execute("INSERT INTO revisions VALUES (?, ?, ?, ?)", values)
            db.execute("INSERT OR REPLACE INTO committed VALUES (1, ?)", (number,))
            rows = [(id, item.version, msgspec.json.encode(item)) for id, item in configs]
            db.executemany("INSERT INTO configs VALUES (?, ?, ?)", rows)
            touched = [(key.removeprefix("plugins/"),) for key in revision.touched]
            db.executemany("DELETE FROM quarantine WHERE plugin = ?", touched)
            _save(db, operation)

        await self._db.write(work)

    async def quarantine(self, mark: Quarantined) -> None:
        """Keep a quarantine mark."""
        values = (mark.plugin, mark.worker, msgspec.json.encode(mark))
        await self._db.write(
            lambda db: db.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", values)
        )

    async def record(self, entries: Sequence[Entry]) -> None:
        """Append to the journal and forget its oldest beyond the bound."""
        rows = [(entry.id, msgspec.json.encode(entry)) for entry in entries]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO journal VALUES (?, ?)", rows)
            db.execute("DELETE FROM journal WHERE id <= ?", (rows[-1][0] - JOURNAL,))

        if rows:
            await self._db.write(work)

    def _all(self, type_: type[T], sql: str, *params: object) -> list[T]:
        return [_decode(row[0], type_) for row in self._db.read(sql, params)]

    def _one(self, type_: type[T], sql: str, *params: object) -> T | None:
        found = self._all(type_, sql, *params)
        return found[0] if found else None


class SqliteKeyValue:
    """Implements `KeyValueStore` on the same database; `SqliteStore` has made its table."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    async def get(self, plugin: str, key: str) -> bytes | None:
        """Return the value, unless it has expired."""
        rows = self._db.read(_KV_GET, (plugin, key, self._clock.time()))
        return bytes(rows[0][0]) if rows else None

    async def set(self, plugin: str, key: str, value: bytes, ttl: float | None) -> None:
        """Store the value, and forget what has expired."""
        now = self._clock.time()
        row = (plugin, key, value, None if ttl is None else now + ttl)
        await self._db.write(lambda db: _kv_put(db, row, now))

    async def swap(
        self, plugin: str, key: str, expected: bytes | None, value: bytes, ttl: float | None
    ) -> bool:
        """Store the value if `expected` is there, in one transaction; return whether it was."""
        now = self._clock.time()
        row = (plugin, key, value, None if ttl is None else now + ttl)

        def work(db: sqlite3.Connection) -> bool:
            found = db.execute(_KV_GET, (plugin, key, now)).fetchone()
            if (None if found is None else bytes(found[0])) != expected:
                return False
            _kv_put(db, row, now)
            return True

        return await self._db.write(work)

    async def delete(self, plugin: str, key: str) -> None:
        """Forget the key; it need not be there."""
        sql = "DELETE FROM plugin_kv WHERE plugin = ? AND key = ?"
        await self._db.write(lambda db: db.execute(sql, (plugin, key)))

    async def keys(self, plugin: str, prefix: str) -> list[str]:
        """Return the keys that start with `prefix`, sorted."""
        sql = (
            "SELECT key FROM plugin_kv WHERE plugin = ? AND substr(key, 1, ?) = ? "
            "AND (expires IS NULL OR expires > ?) ORDER BY key"
        )
        params = (plugin, len(prefix), prefix, self._clock.time())
        return [row[0] for row in self._db.read(sql, params)]


_KV_GET = (
    "SELECT value FROM plugin_kv WHERE plugin = ? AND key = ? AND (expires IS NULL OR expires > ?)"
)


def _kv_put(db: sqlite3.Connection, row: tuple[str, str, bytes, float | None], now: float) -> None:
    db.execute("DELETE FROM plugin_kv WHERE plugin = ? AND expires <= ?", (row[0], now))
    db.execute("INSERT OR REPLACE INTO plugin_kv VALUES (?, ?, ?, ?)", row)


def _save(db: sqlite3.Connection, operation: Operation) -> None:
    values = (
        operation.id,
        operation.sequence,
        operation.concluded,
        operation.actor,
        operation.idempotency_key or None,
        msgspec.json.encode(operation),
    )
    db.execute(
        "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET finished = excluded.finished, document = excluded.document",
        values,
    )


def _decode(document: bytes, type_: type[T]) -> T:
    return msgspec.json.decode(document, type=type_)
