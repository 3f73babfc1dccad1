"""Sessions and bearer tokens: random secrets, of which only the hash is stored.

The secrets have 256 bits of randomness, so that one SHA-256 is enough to keep them safe at
rest; a slow hash is for passwords, which people choose.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin._access import ROLES, Permission, Principal, Role
from plugbay.kernel import Forbidden, Invalid, NotFound, Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from plugbay.kernel import Clock
    from plugbay.storage import Database

PREFIX = "pb_"
MOST_SESSIONS = 32
"""Of one user; the oldest ends when there is one more."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh session. `secret` goes into the cookie and nowhere else."""

    secret: str
    csrf: str
    expires: float


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token, as it is listed."""

    id: str
    name: str
    user: str
    scopes: list[Permission]
    created: float
    expires: float | None


class Credentials:
    """Issues, checks and revokes sessions and tokens."""

    def __init__(self, db: Database, clock: Clock, *, session: float) -> None:
        self._db, self._clock, self._session = db, clock, session

    async def open_session(self, user: str) -> Session:
        """Start a session of `user`, who has shown the password. Drops what has expired."""
        now = self._clock.time()
        secret, csrf, id_ = secrets.token_urlsafe(32), secrets.token_urlsafe(24), _new_id()
        expires = now + self._session

        def insert(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM sessions WHERE expires <= ?", (now,))
            row = (_hash(secret), id_, user, csrf, expires)
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", row)
            db.execute(
                "DELETE FROM sessions WHERE user = ?1 AND id NOT IN (SELECT id FROM sessions"
                " WHERE user = ?1 ORDER BY expires DESC, rowid DESC LIMIT ?2)",
                (user, MOST_SESSIONS),
            )

        await self._db.write(insert)
        return Session(secret=secret, csrf=csrf, expires=expires)

    async def close_session(self, id_: str) -> None:
        """End one session; the cookie is worth nothing afterwards."""
        await self._db.write(lambda db: db.execute("DELETE FROM sessions WHERE id = ?", (id_,)))

    def by_session(self, secret: str) -> Principal | None:
        """Who holds this cookie, if anybody does."""
        rows = self._db.read(
            "SELECT s.id, s.csrf, s.expires, u.name, u.role FROM sessions s"
            " JOIN users u ON u.name = s.user WHERE s.hash = ?",
            (_hash(secret),),
        )
        if not rows or rows[0]["expires"] <= self._clock.time():
            return None
        row, role = rows[0], Role(rows[0]["role"])
        return Principal(
            user=row["name"],
            role=role,
            permissions=ROLES[role],
            credential=row["id"],
            csrf=row["csrf"],
        )

    def by_token(self, secret: str) -> Principal | None:
        """Who holds this token, if anybody does: its scopes, but never more than the user has."""
        if not secret.startswith(PREFIX):
            return None
        rows = self._db.read(
            "SELECT t.id, t.scopes, t.expires, u.name, u.role FROM tokens t"
            " JOIN users u ON u.name = t.user WHERE t.hash = ?",
            (_hash(secret),),
        )
        if not rows or (rows[0]["expires"] or float("inf")) <= self._clock.time():
            return None
        row, role = rows[0], Role(rows[0]["role"])
        granted = frozenset(_scopes(row["scopes"])) & ROLES[role]
        return Principal(user=row["name"], role=role, permissions=granted, credential=row["id"])

    async def issue(
        self, principal: Principal, name: str, scopes: Sequence[Permission], seconds: float | None
    ) -> tuple[Token, str]:
        """Make a token for the caller and return it with its secret, which is shown only now.

        Raises `Invalid` without scopes or time, `Forbidden` for scopes the caller lacks.
        """
        _check_wish(scopes, seconds)
        if lacking := sorted(set(scopes) - principal.permissions):
            raise Forbidden(f"{principal.user} cannot grant {', '.join(lacking)}")
        now, secret = self._clock.time(), PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=_new_id(),
            name=name,
            user=principal.user,
            scopes=sorted(set(scopes)),
            created=now,
            expires=None if seconds is None else now + seconds,
        )
        columns = (_hash(secret), token.id, token.user, name, " ".join(token.scopes))
        row = (*columns, token.created, token.expires)
        await self._db.write(
            lambda db: db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        )
        return token, secret

    def tokens(self, user: str) -> list[Token]:
        """The tokens of `user`, the newest first."""
        rows = self._db.read(
            "SELECT * FROM tokens WHERE user = ? ORDER BY created DESC, rowid DESC", (user,)
        )
        return [
            Token(
                id=row["id"],
                name=row["name"],
                user=row["user"],
                scopes=_scopes(row["scopes"]),
                created=row["created"],
                expires=row["expires"],
            )
            for row in rows
        ]

    async def revoke(self, user: str, id_: str) -> None:
        """Revoke a token of `user` at once. Raises `NotFound`."""

        def delete(db: sqlite3.Connection) -> None:
            done = db.execute("DELETE FROM tokens WHERE id = ? AND user = ?", (id_, user))
            if not done.rowcount:
                raise NotFound(f"{user} has no token {id_}")

        await self._db.write(delete)


def _check_wish(scopes: Sequence[Permission], seconds: float | None) -> None:
    if not scopes:
        problem = Problem("/scopes", "empty", f"some of {', '.join(Permission)}")
        raise Invalid("a token needs at least one scope", problems=(problem,))
    if seconds is not None and seconds <= 0:
        problem = Problem("/expires_in", "not in the future", "more than 0", str(seconds))
        raise Invalid("a token must not be expired from the start", problems=(problem,))


def _scopes(text: str) -> list[Permission]:
    known = set(Permission)
    return [Permission(scope) for scope in text.split() if scope in known]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _new_id() -> str:
    return secrets.token_hex(8)
