"""Users in SQLite, and the first one."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin._access import Role
from plugbay.admin._passwords import Passwords
from plugbay.admin._tables import COMPONENT, STEPS
from plugbay.kernel import Conflict, Invalid, NotFound, Problem
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from plugbay.kernel import Clock
    from plugbay.storage import Database

FIRST_USER = "admin"
FIRST_PASSWORD_FILE = "first-password"  # noqa: S105 - a file's name
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in."""

    name: str
    role: Role
    created: float


class Users:
    """The users of this installation."""

    def __init__(self, db: Database, clock: Clock, passwords: Passwords) -> None:
        db.migrate(COMPONENT, STEPS)
        self._db, self._clock, self._passwords = db, clock, passwords

    def list(self) -> list[User]:
        """All users, by name."""
        rows = self._db.read("SELECT name, role, created FROM users ORDER BY name")
        return [User(name=row[0], role=Role(row[1]), created=row[2]) for row in rows]

    async def add(self, name: str, role: Role, password: str) -> User:
        """Add a user. Raises `Invalid` for a bad name or password, `Conflict` if there is one."""
        if not _NAME.fullmatch(name):
            problem = Problem("/name", "not a user name", _NAME.pattern, name)
            raise Invalid(f"{name!r} is not a user name", problems=(problem,))
        hashed = await self._passwords.hash(password)
        created = self._clock.time()

        def insert(db: sqlite3.Connection) -> None:
            found = db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone()
            if found:
                raise Conflict(f"there is a user {name} already")
            db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (name, role, hashed, created))

        await self._db.write(insert)
        return User(name=name, role=role, created=created)

    async def remove(self, name: str) -> None:
        """Remove a user with all sessions and tokens. Raises `NotFound`, or `Conflict` for the
        last administrator: nobody could ever add another one."""

        def delete(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT role FROM users WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise NotFound(f"there is no user {name}")
            admins = db.execute("SELECT count(*) FROM users WHERE role = ?", (Role.ADMIN,))
            if row[0] == Role.ADMIN and admins.fetchone()[0] == 1:
                raise Conflict(f"{name} is the last administrator")
            db.execute("DELETE FROM users WHERE name = ?", (name,))

        await self._db.write(delete)

    async def verify(self, name: str, password: str) -> bool:
        """Whether there is such a user with this password."""
        rows = self._db.read("SELECT password FROM users WHERE name = ?", (name,))
        return await self._passwords.verify(rows[0][0] if rows else None, password)

    async def change_password(self, name: str, password: str, *, keep: str) -> None:
        """Set the password and end all sessions of the user but `keep`. Raises `Invalid`."""
        hashed = await self._passwords.hash(password)

        def update(db: sqlite3.Connection) -> None:
            db.execute("UPDATE users SET password = ? WHERE name = ?", (hashed, name))
            db.execute("DELETE FROM sessions WHERE user = ? AND id <> ?", (name, keep))

        await self._db.write(update)


async def ensure_first_user(db: Database, data_dir: Path, clock: Clock) -> bool:
    """Add the user `admin` with a random password if there is no user; return whether it did.

    The password is in `<data_dir>/first-password`, readable by its owner only. The file comes
    first: a crash in between leaves no user, and the next start writes both again.
    """
    users = Users(db, clock, Passwords())
    if users.list():
        return False
    password = secrets.token_urlsafe(18)
    write_atomically(data_dir / FIRST_PASSWORD_FILE, f"{password}\n".encode(), mode=0o600)
    await users.add(FIRST_USER, Role.ADMIN, password)
    return True
