"""Personal API tokens: for programs, with few permissions and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from plugbay.admin.access._roles import Permission, Principal
from plugbay.admin.access._secret import digest, new_id, new_secret
from plugbay.kernel import Forbidden, Invalid, NotFound, Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from plugbay.admin.access._grant import Grants, Method
    from plugbay.kernel import Clock
    from plugbay.storage import Database

PREFIX = "pb_"
MOST_NAME = 200

_FIND = (
    "SELECT t.id, t.user, t.scopes, t.plugins, t.expires, t.method, u.roles, u.disabled"
    " FROM tokens t JOIN users u ON u.name = t.user WHERE t.hash = ?"
)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A personal API token, as it is listed. Without `plugins` it is not limited to some."""

    id: str
    name: str
    user: str
    scopes: list[Permission]
    created: float
    expires: float | None
    plugins: list[str] = []


class Tokens:
    """Issues, checks and revokes tokens."""

    def __init__(self, db: Database, clock: Clock, grants: Grants) -> None:
        self._db, self._clock, self._grants = db, clock, grants

    def find(self, secret: str) -> Principal | None:
        """Who holds this token, if anybody does: its scopes, but never more than the user has."""
        if not secret.startswith(PREFIX):
            return None
        rows = self._db.read(_FIND, (digest(secret),))
        if not rows or (rows[0]["expires"] or float("inf")) <= self._clock.time():
            return None
        row = rows[0]
        return self._grants.principal(
            row,
            "token",
            scopes=frozenset(_scopes(row["scopes"])),
            plugins=frozenset(row["plugins"].split()) or None,
            expires=row["expires"],
        )

    async def issue(
        self,
        principal: Principal,
        name: str,
        scopes: Sequence[Permission],
        seconds: float | None,
        *,
        plugins: Sequence[str] = (),
        method: Method = "password",
    ) -> tuple[Token, str]:
        """Make a token for the caller and return it with its secret, which is shown only now.

        A token that makes another one gives no more than it has, and for no longer. Raises
        `Invalid` without scopes or time, `Forbidden` for what the caller lacks.
        """
        _check_wish(name, scopes, seconds, plugins)
        if lacking := sorted(set(scopes) - principal.permissions):
            raise Forbidden(f"{principal.user} cannot grant {', '.join(lacking)}")
        for plugin in plugins or sorted(principal.plugins or ()):
            principal.require_plugin(plugin)
        now, secret = self._clock.time(), new_secret(PREFIX)
        expires = None if seconds is None else now + seconds
        if principal.kind == "token" and principal.expires is not None:
            expires = min(expires or principal.expires, principal.expires)
        token = Token(
            id=new_id(),
            name=name,
            user=principal.user,
            scopes=sorted(set(scopes)),
            created=now,
            expires=expires,
            plugins=sorted(set(plugins) or principal.plugins or ()),
        )
        await self._insert(token, secret, method)
        return token, secret

    async def _insert(self, token: Token, secret: str, method: Method) -> None:
        columns = (digest(secret), token.id, token.user, token.name, " ".join(token.scopes))
        row = (*columns, token.created, token.expires, " ".join(token.plugins), method)
        sql = (
            "INSERT INTO tokens (hash, id, user, name, scopes, created, expires, plugins, method)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        await self._db.write(lambda db: db.execute(sql, row))

    def method(self, id_: str) -> Method:
        """How whoever made this token had signed in."""
        rows = self._db.read("SELECT method FROM tokens WHERE id = ?", (id_,))
        return rows[0]["method"] if rows else "password"

    def list(self, user: str) -> list[Token]:
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
                plugins=row["plugins"].split(),
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


def _check_wish(
    name: str, scopes: Sequence[Permission], seconds: float | None, plugins: Sequence[str]
) -> None:
    if not scopes:
        problem = Problem("/scopes", "empty", f"some of {', '.join(Permission)}")
        raise Invalid("a token needs at least one scope", problems=(problem,))
    if seconds is not None and seconds <= 0:
        problem = Problem("/expires_in", "not in the future", "more than 0", str(seconds))
        raise Invalid("a token must not be expired from the start", problems=(problem,))
    if not 0 < len(name) <= MOST_NAME:
        problem = Problem("/name", "wrong length", f"1 to {MOST_NAME} characters", str(len(name)))
        raise Invalid("a token needs a name to be told by", problems=(problem,))
    if bad := [one for one in plugins if not one or any(c.isspace() for c in one)]:
        problem = Problem("/plugins", "not a plugin's id", found=repr(bad[0]))
        raise Invalid(f"{bad[0]!r} is not a plugin's id", problems=(problem,))


def _scopes(text: str) -> list[Permission]:
    known = set(Permission)
    return [Permission(scope) for scope in text.split() if scope in known]
