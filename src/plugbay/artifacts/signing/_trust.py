"""Whom the operator trusts, with which plugins, and how strictly."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from plugbay.artifacts.signing._publisher import Publisher
    from plugbay.artifacts.signing._sigstore import SigstoreRoot

Policy = Literal["off", "warn", "enforce"]


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
