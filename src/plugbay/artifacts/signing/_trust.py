"""Whom the operator trusts, with which plugins, and how strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from plugbay.artifacts.signing._keys import key_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.x509 import Certificate

    from plugbay.artifacts.signing._keys import PublicKey
    from plugbay.artifacts.signing._sigstore import SigstoreRoot

Policy = Literal["off", "warn", "enforce"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked of the plugins whose id is like one of the patterns (`acme-*`), if the upload
    is by one of `users` (empty: anybody). `publishers` empty: any that is known."""

    plugins: tuple[str, ...] = ("*",)
    users: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    policy: Policy = "enforce"

    def applies(self, plugin: str, user: str) -> bool:
        """Whether it is about this upload."""
        by = not self.users or user in self.users
        return by and any(fnmatchcase(plugin, pattern) for pattern in self.plugins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All of it. `rules` are looked through in order, and the first that applies counts; where
    none does, `policy` does. `revoked` has key ids, certificate serials in hex and digests."""

    policy: Policy = "off"
    publishers: tuple[Publisher, ...] = ()
    rules: tuple[Rule, ...] = ()
    revoked: frozenset[str] = frozenset()
    sigstore: SigstoreRoot | None = None
    """What bundles of Sigstore are verified against; without it none counts."""

    @property
    def enforces(self) -> bool:
        """Whether there is anything that must be signed."""
        return "enforce" in (self.policy, *(rule.policy for rule in self.rules))

    def rule(self, plugin: str, user: str) -> Rule:
        """Return the rule for an upload."""
        found = (rule for rule in self.rules if rule.applies(plugin, user))
        return next(found, Rule(policy=self.policy))
