"""Bearer tokens (RFC 6750) that are JWTs (RFC 7519) of issuers whom the operator trusts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from plugbay.sdk.protection import Timed

from ._outbound import get_json
from ._policy import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.sdk import Clock

    from ._config import Issuer

ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "Ed25519",
]
"""Signatures with a public key only: a shared secret is no key here, and `none` no signature."""
_KEPT: Final = 3600.0
_AGAIN: Final = 30.0
_LEEWAY: Final = 30
_LONGEST: Final = 8192


class TokenRefused(Exception):
    """A token that proves nothing. The message is for administrators."""


class Bearer:
    """Verifies tokens; what was verified is remembered until it ends."""

    def __init__(self, issuers: Sequence[Issuer], clock: Clock) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._clock = clock
        self._keys: dict[str, tuple[float, KeySet]] = {}
        self._tried: dict[str, float] = {}
        self._fetching = asyncio.Lock()
        self._verified: Timed[dict[str, Any]] = Timed(16_384)

    async def claims(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """Return who has issued a token and what it says. Raises `TokenRefused`."""
        digest, now = hashlib.blake2b(token.encode()).hexdigest(), self._clock.time()
        known = self._verified.get(digest, now)
        if known is not None:
            return self._issuers[known["iss"]], known
        issuer = self._issuer(token)
        claims = await self._verify(token, issuer)
        until = min(float(claims["exp"]), now + _KEPT)
        self._verified.put(digest, claims, until, now)
        return issuer, claims

    def _issuer(self, token: str) -> Issuer:
        """Return who it says has issued it: with his keys, and no others, it is verified."""
        parts = token.split(".")
        if len(parts) != 3 or len(token) > _LONGEST:
            raise TokenRefused("no JWT")
        try:
            said = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            name = cast("dict[str, object]", said)["iss"]
        except (ValueError, TypeError, KeyError) as error:
            raise TokenRefused("no JWT with an issuer") from error
        found = self._issuers.get(name) if isinstance(name, str) else None
        if found is None:
            raise TokenRefused("an unknown issuer")
        return found

    async def _verify(self, token: str, issuer: Issuer) -> dict[str, Any]:
        keys = await self._key_set(issuer, again=False)
        try:
            claims = self._decode(token, issuer, keys)
        except TokenRefused:
            # The issuer may have turned to another key.
            fresh = await self._key_set(issuer, again=True)
            if fresh is keys:
                raise
            claims = self._decode(token, issuer, fresh)
        return claims

    def _decode(self, token: str, issuer: Issuer, keys: KeySet) -> dict[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.time()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            found = jwt.decode(token, keys, algorithms=ALGORITHMS)
            rules.validate(found.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenRefused(f"not valid: {error}") from error
        return dict(found.claims)

    async def _key_set(self, issuer: Issuer, *, again: bool) -> KeySet:
        async with self._fetching:
            now = self._clock.time()
            known, tried = self._keys.get(issuer.issuer), self._tried.get(issuer.issuer, 0.0)
            if known is not None and (issuer.jwks or now - tried < _AGAIN):
                return known[1]
            if known is not None and not again and now - known[0] < _KEPT:
                return known[1]
            if known is None and now - tried < _AGAIN:
                raise TokenRefused(f"the keys of {issuer.issuer} are not known now")
            self._tried[issuer.issuer] = now
            try:
                keys = KeySet.import_key_set(cast("Any", await self._published(issuer)))
            except (OSError, JoseError, ValueError, TypeError, KeyError) as error:
                if known is not None:
                    return known[1]
                raise TokenRefused(f"the keys of {issuer.issuer}: {error}") from error
            self._keys[issuer.issuer] = now, keys
            return keys

    async def _published(self, issuer: Issuer) -> Mapping[str, Any]:
        if issuer.jwks:
            return issuer.jwks
        url = issuer.jwks_url
        if not url:
            where = issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
            about = await asyncio.to_thread(get_json, where)
            if about.get("issuer") != issuer.issuer:
                raise ValueError("the discovery document is of another issuer")
            url = str(about["jwks_uri"])
        return await asyncio.to_thread(get_json, url)


def principal_of(claims: Mapping[str, Any], roles_claim: str) -> Principal:
    """Return who a JWT names; `amr` (RFC 8176) says whether several factors were used."""
    amr, proved = claims.get("amr"), claims.get("auth_time", claims.get("iat", 0))
    several = isinstance(amr, list) and ("mfa" in amr or "hwk" in amr)
    return Principal(
        user=f"{claims['iss']}#{claims['sub']}",
        roles=_roles(claims.get(roles_claim)),
        level=2 if several else 1,
        proved=float(proved) if isinstance(proved, (int, float)) else 0.0,
    )


def _roles(found: object) -> tuple[str, ...]:
    if isinstance(found, list):
        return tuple(str(role) for role in cast("list[object]", found))
    return tuple(found.split()) if isinstance(found, str) else ()
