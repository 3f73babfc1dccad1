"""Keys for debug requests: who has which, and which hold no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin.access._secret import new_id
from plugbay.kernel import NotFound, Unavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

    from plugbay.kernel import Clock
    from plugbay.storage import Database


class TraceKeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A trace key as it is listed; what is sent is shown only once."""

    id: str
    user: str
    created: float
    expires: float
    revoked: bool


class TraceKeys:
    """Keeps the records; `tell` lets the workers know what was revoked."""

    def __init__(
        self, db: Database, clock: Clock, tell: Callable[[Collection[str]], None] | None
    ) -> None:
        self._db, self._clock, self._tell = db, clock, tell

    async def add(self, user: str, expires: float) -> str:
        """Write a new key down and return its id. Forgets those that have expired."""
        now, id_ = self._clock.time(), new_id()

        def insert(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM trace_keys WHERE expires <= ?", (now,))
            db.execute("INSERT INTO trace_keys VALUES (?, ?, ?, ?, 0)", (id_, user, now, expires))

        await self._db.write(insert)
        return id_

    def list(self, user: str = "") -> list[TraceKeyRecord]:
        """Those that have not expired, of one user or of all; the newest first."""
        rows = self._db.read(
            "SELECT * FROM trace_keys WHERE expires > ? AND (user = ? OR ? = '')"
            " ORDER BY created DESC, rowid DESC",
            (self._clock.time(), user, user),
        )
        return [
            TraceKeyRecord(
                id=row["id"],
                user=row["user"],
                created=row["created"],
                expires=row["expires"],
                revoked=bool(row["revoked"]),
            )
            for row in rows
        ]

    async def revoke(self, id_: str, user: str = "") -> None:
        """Revoke one, of `user` if given: the workers refuse it from now on.

        Raises `NotFound`, or `Unavailable` if the workers cannot be told.
        """
        found = [one for one in self.list(user) if one.id == id_]
        if not found:
            raise NotFound(f"there is no trace key {id_}")
        sql = "UPDATE trace_keys SET revoked = 1 WHERE id = ?"
        await self._db.write(lambda db: db.execute(sql, (id_,)))
        if self._tell is not None:
            ids = [one.id for one in self.list() if one.revoked]
            try:
                await asyncio.to_thread(self._tell, ids)
            except OSError as error:
                raise Unavailable(f"the workers cannot be told: {error.strerror}") from error
