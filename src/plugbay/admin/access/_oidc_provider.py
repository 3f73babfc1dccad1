"""What an OpenID provider says of itself (OpenID Connect Discovery 1.0), and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from plugbay.admin.access._outbound import check_url
from plugbay.kernel import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from plugbay.admin.access._outbound import Outbound
    from plugbay.kernel import Clock

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519"]
"""Signatures with a public key only: a client's secret is no key, and `none` is no signature."""
KEPT = 3600.0
AGAIN = 60.0
"""Seconds between fetches of the keys because of an unknown one."""


class Metadata(msgspec.Struct, frozen=True):
    """The parts of the discovery document that are used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""


class Provider:
    """One issuer. What it says is kept for an hour."""

    def __init__(self, issuer: str, outbound: Outbound, clock: Clock) -> None:
        self.issuer, self.outbound, self._clock = issuer, outbound, clock
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def metadata(self) -> Metadata:
        """Where its endpoints are. Raises `Unavailable`."""
        if self._metadata is None or self._metadata[0] + KEPT <= self._clock.time():
            url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            raw = await self.outbound.get(url)
            try:
                found = msgspec.convert(raw, Metadata)
            except msgspec.ValidationError as error:
                raise Unavailable(f"{self.issuer}: its discovery document: {error}") from None
            if found.issuer != self.issuer:
                raise Unavailable(f"{self.issuer} says that it is {found.issuer}")
            for one in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                check_url(one)
            self._metadata = self._clock.time(), found
        return self._metadata[1]

    async def claims(self, id_token: str) -> dict[str, Any]:
        """The claims of an ID token that this provider has signed; they are not checked yet.

        Raises `Unauthenticated`, `Unavailable`.
        """
        keys = await self._key_set(fresh=False)
        try:
            return _decode(id_token, keys)
        except (JoseError, ValueError):
            pass  # the provider may have a new key, which we do not have yet
        try:
            return _decode(id_token, await self._key_set(fresh=True))
        except (JoseError, ValueError) as error:
            raise Unauthenticated(f"the ID token is not signed by {self.issuer}: {error}") from None

    async def _key_set(self, *, fresh: bool) -> KeySet:
        now = self._clock.time()
        age = now - self._keys[0] if self._keys else KEPT
        if self._keys is None or age >= (AGAIN if fresh else KEPT):
            raw = await self.outbound.get((await self.metadata()).jwks_uri)
            try:
                self._keys = now, KeySet.import_key_set(raw)
            except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise Unavailable(f"{self.issuer}: its keys cannot be read: {error!r}") from None
        return self._keys[1]


def _decode(text: str, keys: KeySet) -> dict[str, Any]:
    return jwt.decode(text, keys, algorithms=ALGORITHMS).claims
