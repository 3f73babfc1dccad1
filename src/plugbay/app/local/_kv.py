"""Durable state of plugins that run without a gateway: one SQLite file of the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from plugbay.kernel import Clock
    from plugbay.storage import Database

_TABLE = """
CREATE TABLE local_kv
(plugin TEXT, key TEXT, value BLOB, expires REAL, PRIMARY KEY (plugin, key)) WITHOUT ROWID
"""
_GET = (
    "SELECT value FROM local_kv WHERE plugin = ? AND key = ? AND (expires IS NULL OR expires > ?)"
)
_PUT = "INSERT OR REPLACE INTO local_kv VALUES (?, ?, ?, ?)"
_LONGEST_KEY, _LARGEST = 256, 64 * 1024


def state_directory(environment: Mapping[str, str]) -> Path:
    """Return where state is kept (XDG base directories): `PLUGBAY_STATE_DIR` says otherwise."""
    if own := environment.get("PLUGBAY_STATE_DIR"):
        return Path(own)
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "plugbay"


class LocalState:
    """Opens the file when a plugin first asks for it: most never do."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.path, self.clock = directory / "plugins.db", clock
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The database. Raises `Unavailable` if it cannot be opened."""
        if self._database is None:
            from plugbay.storage import Database  # it brings SQLite

            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(self.path.parent, 0o700)
            self._database = Database.open(self.path)
            self._database.migrate("local-kv", (_TABLE,))
        return self._database

    def close(self) -> None:
        """Finish the writes."""
        if self._database is not None:
            self._database.close()
            self._database = None


class LocalKeyValue:
    """`sdk.KeyValue` of one plugin."""

    def __init__(self, state: LocalState, plugin: str) -> None:
        self._state, self._plugin = state, plugin

    async def get(self, key: str) -> bytes | None:
        """Return the value, unless it has expired."""
        params = (self._plugin, key, self._state.clock.time())
        rows = self._state.database.read(_GET, params)
        return bytes(rows[0][0]) if rows else None

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store the value. Raises `ValueError` if key or value is too long."""
        row = self._row(key, value, ttl)
        await self._state.database.write(lambda db: db.execute(_PUT, row).rowcount)

    async def swap(
        self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None
    ) -> bool:
        """Store the value if `expected` is there. Raises `ValueError` like `set`."""
        row = self._row(key, value, ttl)
        asked = (self._plugin, key, self._state.clock.time())

        def work(db: sqlite3.Connection) -> bool:
            found = db.execute(_GET, asked).fetchone()
            if (None if found is None else bytes(found[0])) != expected:
                return False
            db.execute(_PUT, row)
            return True

        return await self._state.database.write(work)

    async def delete(self, key: str) -> None:
        """Forget the key; it need not be there."""
        sql, row = "DELETE FROM local_kv WHERE plugin = ? AND key = ?", (self._plugin, key)
        await self._state.database.write(lambda db: db.execute(sql, row).rowcount)

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, sorted."""
        sql = (
            "SELECT key FROM local_kv WHERE plugin = ? AND substr(key, 1, ?) = ?"
            " AND (expires IS NULL OR expires > ?) ORDER BY key"
        )
        params = (self._plugin, len(prefix), prefix, self._state.clock.time())
        return [row[0] for row in self._state.database.read(sql, params)]

    def _row(
        self, key: str, value: bytes, ttl: float | None
    ) -> tuple[str, str, bytes, float | None]:
        if len(key) > _LONGEST_KEY or len(value) > _LARGEST:
            raise ValueError(f"a key has {_LONGEST_KEY} characters and a value 64 KiB at most")
        ends = None if ttl is None else self._state.clock.time() + ttl
        return self._plugin, key, value, ends
