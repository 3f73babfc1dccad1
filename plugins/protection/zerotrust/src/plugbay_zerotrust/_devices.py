"""Keys of devices: a session is bound to one by a signature over a challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHMS = {"P-256": "ES256", "Ed25519": "Ed25519"}


class DeviceRefused(Exception):
    """A key that is not taken, or a signature that is not right."""


def public_key(jwk: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the thumbprint (RFC 7638) and the public key. Raises `DeviceRefused`."""
    key = _key(jwk)
    if key.is_private:
        raise DeviceRefused("a private key must stay where it is")
    return str(key.thumbprint()), dict(key.as_dict(private=False))


def verify(jwk: Mapping[str, Any], proof: str, challenge: str) -> None:
    """Check a compact JWS (RFC 7515) whose payload is the challenge. Raises `DeviceRefused`."""
    algorithm = ALGORITHMS[str(jwk["crv"])]
    try:
        found = jws.deserialize_compact(proof, _key(jwk), algorithms=[algorithm])
    except (JoseError, ValueError) as error:
        raise DeviceRefused("the proof is not signed by this device") from error
    if found.payload != challenge.encode():
        raise DeviceRefused("the proof is of another challenge")


def _key(jwk: Mapping[str, Any]) -> ECKey | OKPKey:
    if jwk.get("crv") not in ALGORITHMS:
        raise DeviceRefused("a device's key must be of P-256 or Ed25519")
    kind = ECKey if jwk.get("kty") == "EC" else OKPKey
    try:
        return kind.import_key({str(name): value for name, value in jwk.items()})
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise DeviceRefused("the key cannot be read") from error
