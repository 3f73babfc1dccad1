"""Counts attempts to sign in."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, cast

from plugbay.sdk.protection import Timed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Host

ATTEMPT: Final = "ztna.signin.attempt"
_MOST: Final = 65_536
_WIDE: Final = 10


class Throttle:
    """So many failures of an account from an address; ten times as many of either in all.

    An attempt is charged before anything is verified, so that many at once do not slip through;
    workers tell each other. Who locks himself out from one address locks nobody out elsewhere.
    """

    def __init__(self, host: Host, attempts: int, window: float) -> None:
        self._host, self._attempts, self._window = host, attempts, window
        self._counts: Timed[int] = Timed(_MOST)
        self._self = secrets.token_hex(8)

    def take(self, account: str, address: str) -> float:
        """Charge an attempt; return 0 if it may be made, else the seconds to wait."""
        now = self._host.now()
        names = _names(account, address)
        for name, most in zip(names, self._limits(), strict=True):
            if (self._counts.get(name, now) or 0) >= most:
                return self._counts.until(name) - now
        for name in names:
            self._charge(name, now)
        self._host.events.publish(ATTEMPT, names=list(names), worker=self._self)
        return 0.0

    def hear(self, data: Mapping[str, Any]) -> None:
        """Charge what another worker has seen."""
        names = data.get("names")
        if data.get("worker") == self._self or not isinstance(names, list):
            return
        for name in cast("list[object]", names)[:3]:
            self._charge(str(name)[:128], self._host.now())

    def clear(self, account: str, address: str) -> None:
        """Forget the failures of an account from an address: it has signed in."""
        self._counts.pop(_names(account, address)[0])

    def forget(self, identity: str) -> None:
        """Forget what is counted of an address."""
        for name, _, _ in self._counts.items(0.0):
            if name.endswith(f"@{identity}"):
                self._counts.pop(name)

    def _limits(self) -> tuple[int, int, int]:
        return self._attempts, self._attempts * _WIDE, self._attempts * _WIDE

    def _charge(self, name: str, now: float) -> None:
        count = self._counts.get(name, now) or 0
        until = self._counts.until(name) if count else now + self._window
        self._counts.put(name, count + 1, until, now)


def _names(account: str, address: str) -> tuple[str, str, str]:
    return f"{account}@{address}", f"{account}@", f"@{address}"
