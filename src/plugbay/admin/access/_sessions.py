"""Browser sessions: a cookie, and the value that scripts of our own pages send beside it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin.access._secret import digest, new_id, new_secret

if TYPE_CHECKING:
    import sqlite3

    from plugbay.admin.access._grant import Grants, Method
    from plugbay.admin.access._roles import Principal
    from plugbay.kernel import Clock
    from plugbay.storage import Database

MOST_SESSIONS = 32
"""Of one user; the oldest ends when there is one more."""
TOUCH = 60.0
"""Seconds; a session's last use is written down no more often."""

_FIND = (
    "SELECT s.id, s.user, s.csrf, s.expires, s.used, s.method, u.roles, u.disabled"
    " FROM sessions s JOIN users u ON u.name = s.user WHERE s.hash = ?"
)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh session. `secret` goes into the cookie and nowhere else."""

    secret: str
    csrf: str
    expires: float


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Seconds that a session lasts at most, and that it lasts unused."""

    absolute: float = 12 * 3600.0
    idle: float = 3600.0


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, db: Database, clock: Clock, grants: Grants, limits: SessionLimits) -> None:
        self._db, self._clock, self._grants, self._limits = db, clock, grants, limits

    async def open(self, user: str, method: Method) -> Session:
        """Start a session of `user`, who has signed in. Drops what has expired."""
        now = self._clock.time()
        secret, csrf = new_secret(), secrets.token_urlsafe(24)
        expires, stale = now + self._limits.absolute, now - self._limits.idle

        def insert(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM sessions WHERE expires <= ? OR used <= ?", (now, stale))
            db.execute(
                "INSERT INTO sessions (hash, id, user, csrf, expires, created, used, method)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (digest(secret), new_id(), user, csrf, expires, now, now, method),
            )
            db.execute(
                "DELETE FROM sessions WHERE user = ?1 AND id NOT IN (SELECT id FROM sessions"
                " WHERE user = ?1 ORDER BY created DESC, rowid DESC LIMIT ?2)",
                (user, MOST_SESSIONS),
            )

        await self._db.write(insert)
        return Session(secret=secret, csrf=csrf, expires=expires)

    async def find(self, secret: str) -> Principal | None:
        """Who holds this cookie, if anybody does. It counts as a use."""
        rows, now = self._db.read(_FIND, (digest(secret),)), self._clock.time()
        if not rows:
            return None
        row = rows[0]
        if row["expires"] <= now or row["used"] + self._limits.idle <= now:
            return None
        if row["used"] + TOUCH <= now:
            await self._db.write(
                lambda db: db.execute("UPDATE sessions SET used = ? WHERE id = ?", (now, row["id"]))
            )
        return self._grants.principal(row, "session", csrf=row["csrf"], expires=row["expires"])

    def method(self, id_: str) -> Method:
        """How whoever has this session has signed in."""
        rows = self._db.read("SELECT method FROM sessions WHERE id = ?", (id_,))
        return rows[0]["method"] if rows else "password"

    async def strengthen(self, id_: str) -> None:
        """The holder of the session has shown a second factor."""
        sql = "UPDATE sessions SET method = 'totp' WHERE id = ?"
        await self._db.write(lambda db: db.execute(sql, (id_,)))

    async def close(self, id_: str) -> None:
        """End one session; the cookie is worth nothing afterwards."""
        await self._db.write(lambda db: db.execute("DELETE FROM sessions WHERE id = ?", (id_,)))
