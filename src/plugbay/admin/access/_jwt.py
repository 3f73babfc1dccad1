"""Access tokens (RFC 9068) that last minutes, and refresh tokens that are good for once.

Each refresh token belongs to a family, which begins with a sign-in. One that is shown a second
time was copied by somebody: the whole family ends then (RFC 9700, 4.14.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from plugbay.admin.access._secret import digest, new_id, new_secret
from plugbay.kernel import Unauthenticated

if TYPE_CHECKING:
    import sqlite3

    from plugbay.admin.access._grant import Grants, Method
    from plugbay.admin.access._roles import Principal
    from plugbay.admin.access._signing_keys import SigningKeys
    from plugbay.kernel import Clock
    from plugbay.storage import Database

ALGORITHM = "Ed25519"
"""RFC 9864; what was `EdDSA` before."""
TYPE = "at+jwt"
ISSUER, AUDIENCE = "plugbay", "plugbay-admin"
REFRESH_PREFIX = "pbr_"
MOST_FAMILIES = 32
"""Of one user; the oldest ends when there is one more."""

_FAMILY = (
    "SELECT f.id, f.user, f.method, f.expires, u.roles, u.disabled"
    " FROM refresh_families f JOIN users u ON u.name = f.user WHERE f.id = ?"
)
_REFRESH = (
    "SELECT t.family, t.expires, t.used, f.user, f.expires AS ends, u.disabled"
    " FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family"
    " JOIN users u ON u.name = f.user WHERE t.hash = ?"
)


@dataclass(frozen=True, slots=True)
class JwtLimits:
    """Seconds that an access token lasts, that a refresh token waits for its use, and after which
    one must sign in again in any case."""

    access: float = 600.0
    refresh: float = 7 * 86400.0
    family: float = 30 * 86400.0


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """An access token for the header `Authorization: Bearer …`, and how to get the next one.
    `expires_in` are seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    refresh_expires_in: int
    user: str


@dataclass(frozen=True, slots=True)
class Reused:
    """A refresh token was shown twice; the family `id` of `user` has ended."""

    id: str
    user: str


class AccessTokens:
    """Issues, refreshes, checks and ends them."""

    def __init__(
        self, db: Database, clock: Clock, grants: Grants, keys: SigningKeys, limits: JwtLimits
    ) -> None:
        self._db, self._clock, self._grants = db, clock, grants
        self.keys, self._limits = keys, limits

    async def issue(self, user: str, method: Method) -> TokenPair:
        """Begin a family, for somebody who has signed in."""
        now, id_, secret = self._clock.time(), new_id(), new_secret(REFRESH_PREFIX)
        ends = now + self._limits.family

        def insert(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM refresh_families WHERE expires <= ?", (now,))
            row = (id_, user, method, now, ends)
            db.execute("INSERT INTO refresh_families VALUES (?, ?, ?, ?, ?)", row)
            self._insert(db, secret, id_, ends)
            db.execute(
                "DELETE FROM refresh_families WHERE user = ?1 AND id NOT IN (SELECT id FROM"
                " refresh_families WHERE user = ?1 ORDER BY created DESC, rowid DESC LIMIT ?2)",
                (user, MOST_FAMILIES),
            )

        await self._db.write(insert)
        return self._pair(user, id_, secret, ends)

    async def refresh(self, secret: str) -> TokenPair | Reused:
        """Swap a refresh token for the next pair. Raises `Unauthenticated`."""
        now, fresh = self._clock.time(), new_secret(REFRESH_PREFIX)

        def swap(db: sqlite3.Connection) -> tuple[str, str, float] | Reused | None:
            row = db.execute(_REFRESH, (digest(secret),)).fetchone()
            if row is None:
                return None
            if row["used"] is not None:
                db.execute("DELETE FROM refresh_families WHERE id = ?", (row["family"],))
                return Reused(row["family"], row["user"])
            if row["disabled"] or min(row["expires"], row["ends"]) <= now:
                return None
            sql = "UPDATE refresh_tokens SET used = ? WHERE hash = ?"
            db.execute(sql, (now, digest(secret)))
            self._insert(db, fresh, row["family"], row["ends"])
            return row["user"], row["family"], row["ends"]

        found = await self._db.write(swap)
        if found is None:
            raise Unauthenticated("the refresh token has expired, or never was: sign in again")
        return found if isinstance(found, Reused) else self._pair(*found[:2], fresh, found[2])

    async def end(self, family: str) -> None:
        """End a family: its access tokens are worth nothing at once."""
        sql = "DELETE FROM refresh_families WHERE id = ?"
        await self._db.write(lambda db: db.execute(sql, (family,)))

    def find(self, text: str) -> Principal | None:
        """Who holds this access token, if anybody does: with the roles the user has now."""
        try:
            token = jwt.decode(text, self.keys.verifying(), algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return None
        claims: dict[str, Any] = token.claims
        expires, family = claims.get("exp"), claims.get("sid")
        ours = (claims.get("iss"), claims.get("aud")) == (ISSUER, AUDIENCE)
        if token.header.get("typ") != TYPE or not ours or not isinstance(expires, int):
            return None
        rows = self._db.read(_FAMILY, (str(family),))
        if expires <= self._clock.time() or not rows or rows[0]["user"] != claims.get("sub"):
            return None
        if rows[0]["expires"] <= self._clock.time():
            return None
        return self._grants.principal(rows[0], "jwt", expires=float(expires))

    def method(self, family: str) -> Method:
        """How whoever has this family has signed in."""
        rows = self._db.read(_FAMILY, (family,))
        return rows[0]["method"] if rows else "password"

    def _insert(self, db: sqlite3.Connection, secret: str, family: str, ends: float) -> None:
        expires = min(self._clock.time() + self._limits.refresh, ends)
        db.execute(
            "INSERT INTO refresh_tokens VALUES (?, ?, ?, NULL)", (digest(secret), family, expires)
        )

    def _pair(self, user: str, family: str, refresh: str, ends: float) -> TokenPair:
        now, key = self._clock.time(), self.keys.signing()
        expires = int(min(now + self._limits.access, ends))
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "sid": family,
            "jti": new_id(),
            "iat": int(now),
            "exp": expires,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": cast("str", key.kid)}
        return TokenPair(
            access_token=jwt.encode(header, claims, key, algorithms=[ALGORITHM]),
            refresh_token=refresh,
            expires_in=expires - int(now),
            refresh_expires_in=int(min(self._limits.refresh, ends - now)),
            user=user,
        )
