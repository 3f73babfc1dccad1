"""Somebody who signs plugins: his keys, who certifies him, and who he is to Sigstore."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.artifacts.signing._keys import key_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.x509 import Certificate

    from plugbay.artifacts.signing._keys import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody as Sigstore knows him: an email address or a URI, and who says that it is his."""

    identity: str
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Somebody who signs. `keys` are his own, by key id; `roots` are the certificate authorities
    that may certify one for him, for these `subjects` (common names; empty: any); `identities`
    are who he is in bundles of Sigstore."""

    name: str
    keys: Mapping[str, PublicKey] = field(default_factory=dict[str, "PublicKey"])
    roots: tuple[Certificate, ...] = ()
    subjects: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        keys: tuple[PublicKey, ...] = (),
        roots: tuple[Certificate, ...] = (),
        subjects: tuple[str, ...] = (),
        identities: tuple[Identity, ...] = (),
    ) -> Publisher:
        """Make one of keys."""
        by_id = {key_id(key): key for key in keys}
        return cls(name=name, keys=by_id, roots=roots, subjects=subjects, identities=identities)
