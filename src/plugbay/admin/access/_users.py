"""Users in SQLite, and the first one."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin.access._passwords import Passwords
from plugbay.admin.access._roles import Role
from plugbay.admin.access._tables import COMPONENT, STEPS
from plugbay.kernel import Conflict, Invalid, NotFound, Problem
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from plugbay.kernel import Clock
    from plugbay.storage import Database

FIRST_USER = "admin"
FIRST_PASSWORD_FILE = "first-password"  # noqa: S105 - a file's name
NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")
NO_PASSWORD = ""
"""In the place of a hash: no password matches it."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `source` is the issuer of who comes from elsewhere by OpenID
    Connect, or `local`."""

    name: str
    roles: list[Role]
    created: float
    disabled: bool = False
    second_factor: bool = False
    source: str = "local"


class Users:
    """The users of this installation."""

    def __init__(self, db: Database, clock: Clock, passwords: Passwords) -> None:
        db.migrate(COMPONENT, STEPS)
        self._db, self._clock, self._passwords = db, clock, passwords

    def list(self) -> list[User]:
        """All users, by name."""
        return [_user(row) for row in self._db.read("SELECT * FROM users ORDER BY name")]

    def get(self, name: str) -> User:
        """One user. Raises `NotFound`."""
        rows = self._db.read("SELECT * FROM users WHERE name = ?", (name,))
        if not rows:
            raise NotFound(f"there is no user {name}")
        return _user(rows[0])

    def known(self, name: str) -> str:
        """`name` if it is a user's, else nothing: what is typed there may be a password."""
        return name if self._db.read("SELECT 1 FROM users WHERE name = ?", (name,)) else ""

    async def add(self, name: str, roles: Sequence[Role], password: str) -> User:
        """Add a user. Raises `Invalid` for a bad name or password, `Conflict` if there is one."""
        _check_name(name)
        chosen = _check_roles(roles)
        return await self._insert(name, chosen, await self._passwords.hash(password))

    async def _insert(self, name: str, roles: str, hashed: str) -> User:
        now = self._clock.time()

        def insert(db: sqlite3.Connection) -> None:
            if db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
                raise Conflict(f"there is a user {name} already")
            db.execute(
                "INSERT INTO users (name, roles, password, created) VALUES (?, ?, ?, ?)",
                (name, roles, hashed, now),
            )

        await self._db.write(insert)
        return self.get(name)

    async def change(
        self, name: str, *, roles: Sequence[Role] | None = None, disabled: bool | None = None
    ) -> User:
        """Give other roles, lock out or let in again. Who is locked out is signed out at once.

        Raises `NotFound`, `Invalid`, or `Conflict` for the last administrator.
        """
        chosen = None if roles is None else _check_roles(roles)

        def update(db: sqlite3.Connection) -> None:
            _existing(db, name)
            if chosen is not None:
                db.execute("UPDATE users SET roles = ? WHERE name = ?", (chosen, name))
            if disabled is not None:
                db.execute("UPDATE users SET disabled = ? WHERE name = ?", (int(disabled), name))
            if disabled:
                _sign_out(db, name)
            _check_administrators(db, name)

        await self._db.write(update)
        return self.get(name)

    async def remove(self, name: str) -> None:
        """Remove a user with all sessions and tokens. Raises `NotFound`, or `Conflict` for the
        last administrator: nobody could ever add another one."""

        def delete(db: sqlite3.Connection) -> None:
            _existing(db, name)
            db.execute("DELETE FROM users WHERE name = ?", (name,))
            _check_administrators(db, name)

        await self._db.write(delete)

    async def verify(self, name: str, password: str) -> bool:
        """Whether there is such a user with this password, who is not locked out.

        It takes the same time whoever does not exist, is locked out or has no password.
        """
        rows = self._db.read("SELECT password, disabled FROM users WHERE name = ?", (name,))
        known = bool(rows) and not rows[0]["disabled"]
        hashed = rows[0]["password"] if rows else NO_PASSWORD
        right = await self._passwords.verify(hashed or None, password)
        return right and known

    async def change_password(self, name: str, password: str, *, keep: str = "") -> None:
        """Set the password and end all sessions of the user but `keep`.

        Raises `Invalid`, `NotFound`, or `Conflict` for a user who signs in elsewhere.
        """
        if self.get(name).source != "local":
            raise Conflict(f"{name} signs in elsewhere and has no password here")
        hashed = await self._passwords.hash(password)

        def update(db: sqlite3.Connection) -> None:
            db.execute("UPDATE users SET password = ? WHERE name = ?", (hashed, name))
            _sign_out(db, name, keep=keep)

        await self._db.write(update)

    async def sign_out(self, name: str, *, tokens: bool = False) -> None:
        """End all sessions and refresh tokens of the user, and if wished the personal tokens.
        Raises `NotFound`."""

        def delete(db: sqlite3.Connection) -> None:
            _existing(db, name)
            _sign_out(db, name)
            if tokens:
                db.execute("DELETE FROM tokens WHERE user = ?", (name,))

        await self._db.write(delete)

    async def admit(self, issuer: str, subject: str, name: str, roles: Iterable[Role]) -> User:
        """Let in who has signed in at `issuer`: the same `subject` is the same user for ever.

        Raises `Conflict` if the name belongs to somebody else, or the user is locked out.
        """
        chosen, now = _check_roles(tuple(roles)), self._clock.time()
        _check_name(name)

        def upsert(db: sqlite3.Connection) -> str:
            known = db.execute(
                "SELECT name, disabled FROM users WHERE issuer = ? AND subject = ?",
                (issuer, subject),
            ).fetchone()
            if known is not None:
                if known["disabled"]:
                    raise Conflict(f"{known['name']} is locked out")
                db.execute("UPDATE users SET roles = ? WHERE name = ?", (chosen, known["name"]))
                return str(known["name"])
            if db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
                raise Conflict(f"the name {name} belongs to another user of this gateway")
            db.execute(
                "INSERT INTO users (name, roles, password, created, issuer, subject)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (name, chosen, NO_PASSWORD, now, issuer, subject),
            )
            return name

        return self.get(await self._db.write(upsert))


def _user(row: sqlite3.Row) -> User:
    return User(
        name=row["name"],
        roles=roles_of(row["roles"]),
        created=row["created"],
        disabled=bool(row["disabled"]),
        second_factor=row["totp"] is not None,
        source=row["issuer"] or "local",
    )


def roles_of(text: str) -> list[Role]:
    """The roles in a row of a user; one that this version does not know grants nothing."""
    known = set(Role)
    return [Role(name) for name in text.split() if name in known]


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        problem = Problem("/name", "not a user name", NAME.pattern, name)
        raise Invalid(f"{name!r} is not a user name", problems=(problem,))


def _check_roles(roles: Sequence[Role]) -> str:
    if not roles:
        problem = Problem("/roles", "empty", f"some of {', '.join(Role)}")
        raise Invalid("a user needs at least one role", problems=(problem,))
    return " ".join(sorted(set(roles)))


def _existing(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone() is None:
        raise NotFound(f"there is no user {name}")


def _sign_out(db: sqlite3.Connection, name: str, *, keep: str = "") -> None:
    db.execute("DELETE FROM sessions WHERE user = ? AND id <> ?", (name, keep))
    db.execute("DELETE FROM refresh_families WHERE user = ? AND id <> ?", (name, keep))


def _check_administrators(db: sqlite3.Connection, name: str) -> None:
    """Called behind a change, in its transaction: what it raises undoes the change."""
    rows = db.execute("SELECT roles FROM users WHERE NOT disabled AND subject = ''")
    if not any(Role.ADMIN in roles_of(row["roles"]) for row in rows):
        raise Conflict(f"{name} is the last administrator")


async def ensure_first_user(
    db: Database, data_dir: Path, clock: Clock, passwords: Passwords | None = None
) -> bool:
    """Add the user `admin` with a random password if there is no user; return whether it did.

    The password is in `<data_dir>/first-password`, readable by its owner only. The file comes
    first: a crash in between leaves no user, and the next start writes both again.
    """
    users = Users(db, clock, passwords or Passwords())
    if users.list():
        return False
    password = secrets.token_urlsafe(18)
    write_atomically(data_dir / FIRST_PASSWORD_FILE, f"{password}\n".encode(), mode=0o600)
    await users.add(FIRST_USER, [Role.ADMIN], password)
    return True
