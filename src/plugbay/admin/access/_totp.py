"""The second factor: time-based codes (RFC 6238), each good for once, and recovery codes."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

import msgspec
import pyotp
from pyotp.totp import TOTP

from plugbay.admin.access._secret import digest
from plugbay.kernel import Conflict, NotFound, Unauthenticated

if TYPE_CHECKING:
    import sqlite3

    from plugbay.admin.access._sealed import Seal
    from plugbay.kernel import Clock
    from plugbay.storage import Database

STEP = 30
DRIFT = 1
"""Steps that a clock may be wrong, before and behind."""
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into an authenticator: show `uri` as a QR code, or let `secret` be typed."""

    secret: str
    uri: str


class SecondFactors:
    """Enrols, checks and removes. A secret is stored encrypted, recovery codes as hashes."""

    def __init__(self, db: Database, clock: Clock, seal: Seal, issuer: str) -> None:
        self._db, self._clock, self._seal, self._issuer = db, clock, seal, issuer

    def enrolled(self, user: str) -> bool:
        """Whether a sign-in of `user` asks for a code."""
        rows = self._db.read("SELECT totp FROM users WHERE name = ?", (user,))
        return bool(rows) and rows[0]["totp"] is not None

    async def begin(self, user: str) -> Enrolment:
        """Make a secret, which counts once a code of it was shown. Raises `Conflict`."""
        if self.enrolled(user):
            raise Conflict("there is a second factor already: remove it first")
        secret = pyotp.random_base32()
        sealed = self._seal.close(secret, owner=user)
        sql = "UPDATE users SET totp_pending = ? WHERE name = ?"
        await self._db.write(lambda db: db.execute(sql, (sealed, user)))
        uri = TOTP(secret).provisioning_uri(name=user, issuer_name=self._issuer)
        return Enrolment(secret=secret, uri=uri)

    async def confirm(self, user: str, code: str) -> list[str]:
        """Take the pending secret into use, and return recovery codes, which are shown only now.

        Raises `Conflict` if none is pending and `Unauthenticated` for a wrong code.
        """
        rows = self._db.read("SELECT totp_pending FROM users WHERE name = ?", (user,))
        if not rows or rows[0]["totp_pending"] is None:
            raise Conflict("no second factor is being enrolled: begin first")
        sealed = rows[0]["totp_pending"]
        step = self._step(self._seal.open(sealed, owner=user), code, after=0)
        if step is None:
            raise Unauthenticated("the code is wrong")
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]

        def enrol(db: sqlite3.Connection) -> None:
            sql = "UPDATE users SET totp = ?, totp_pending = NULL, totp_step = ? WHERE name = ?"
            db.execute(sql, (sealed, step, user))
            db.execute("DELETE FROM recovery_codes WHERE user = ?", (user,))
            rows = [(_code_digest(user, one), user) for one in codes]
            db.executemany("INSERT INTO recovery_codes VALUES (?, ?)", rows)

        await self._db.write(enrol)
        return codes

    async def check(self, user: str, code: str) -> bool:
        """Whether this is a code of `user` that was not shown before. It is used up by that."""
        rows = self._db.read("SELECT totp FROM users WHERE name = ?", (user,))
        if not rows or rows[0]["totp"] is None:
            return False
        secret = self._seal.open(rows[0]["totp"], owner=user)

        def use(db: sqlite3.Connection) -> bool:
            """In the one writer's transaction: of two who show one code, one is let in."""
            found = db.execute("SELECT totp_step FROM users WHERE name = ?", (user,)).fetchone()
            step = self._step(secret, code, after=found["totp_step"])
            if step is not None:
                db.execute("UPDATE users SET totp_step = ? WHERE name = ?", (step, user))
                return True
            sql = "DELETE FROM recovery_codes WHERE hash = ? AND user = ?"
            return db.execute(sql, (_code_digest(user, code), user)).rowcount == 1

        return await self._db.write(use)

    async def remove(self, user: str) -> None:
        """Forget the second factor and the recovery codes. Raises `NotFound`."""

        def forget(db: sqlite3.Connection) -> None:
            sql = "UPDATE users SET totp = NULL, totp_pending = NULL WHERE name = ?"
            if not db.execute(f"{sql} AND totp IS NOT NULL", (user,)).rowcount:
                raise NotFound(f"{user} has no second factor")
            db.execute("DELETE FROM recovery_codes WHERE user = ?", (user,))

        await self._db.write(forget)

    def _step(self, secret: str, code: str, *, after: int) -> int | None:
        """The step of time that `code` belongs to, if it is a later one than `after`."""
        totp, now = TOTP(secret), int(self._clock.time()) // STEP
        shown, found = "".join(code.split()).encode(), None
        for step in range(now - DRIFT, now + DRIFT + 1):
            right = hmac.compare_digest(totp.at(step * STEP).encode(), shown)
            if right and step > after:
                found = step
        return found


def _recovery_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def _code_digest(user: str, code: str) -> bytes:
    plain = "".join(one for one in code.lower() if one in _ALPHABET)
    return digest(f"recovery {user} {plain}")
