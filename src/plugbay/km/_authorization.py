"""What plugins have answered to API keys, as long as it counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel import Clock
    from plugbay.runtimes.process import KmAuthorization

LONGEST, DEFAULT = 3600.0, 300.0
EVERY = 270.0
"""Seconds until a plugin is asked again at the latest: after 300 it would ignore messages."""
_EARLY = 0.9
"""The share of its life after which an authorization is renewed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An authorization, until `until` of the monotonic clock; renew it at `renew`."""

    authorization: KmAuthorization
    until: float
    renew: float


class Authorizations:
    """Keeps grants by plugin and key; of the key only a part of its hash."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._grants: dict[str, Grant] = {}

    def put(self, plugin: str, api_key: str, said: KmAuthorization) -> Grant:
        """Keep what a plugin has answered; it counts for an hour at most."""
        now = self._clock.monotonic()
        lasts = lifetime(said.expires_at, self._clock.time())
        grant = Grant(said, now + lasts, now + min(lasts * _EARLY, EVERY))
        self._grants[_place(plugin, api_key)] = grant
        return grant

    def get(self, plugin: str, api_key: str) -> Grant | None:
        """Return what counts still."""
        grant = self._grants.get(_place(plugin, api_key))
        return grant if grant is not None and grant.until > self._clock.monotonic() else None

    def drop(self, plugin: str, api_key: str) -> None:
        """It counts no longer: the plugin has refused the key, or failed."""
        self._grants.pop(_place(plugin, api_key), None)


def lifetime(expires_at: str, now: float) -> float:
    """Return for how many seconds an authorization counts; 0 if it has expired."""
    try:
        found = datetime.fromisoformat(expires_at)
    except ValueError:
        return DEFAULT
    until = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    return min(max(0.0, until - now), LONGEST)


def _place(plugin: str, api_key: str) -> str:
    return f"{plugin}:{hashlib.sha256(api_key.encode()).digest()[:8].hex()}"
