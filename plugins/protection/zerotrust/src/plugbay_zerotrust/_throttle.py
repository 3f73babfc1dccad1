"""Counts attempts to sign in, for all workers together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from plugbay.sdk import HostUnavailable
from plugbay.sdk.protection import Timed

if TYPE_CHECKING:
    from plugbay.sdk import Host

_MOST: Final = 65_536
_WIDE: Final = 10
_TRIES: Final = 64
_KEYS: Final = "attempts/"


class Throttle:
    """So many failures of an account from an address; ten times as many of either in all.

    An attempt is charged before anything is verified, in the gateway's database and only if no
    other worker has charged in between, so that many at once do not slip through. Who locks
    himself out from one address locks nobody out elsewhere.
    """

    def __init__(self, host: Host, attempts: int, window: float) -> None:
        self._host, self._attempts, self._window = host, attempts, window
        self._locked: Timed[bool] = Timed(_MOST)
        """Whom not to ask the database about: an attack shall not be its load."""

    async def take(self, account: str, address: str) -> float:
        """Charge an attempt; return 0 if it may be made, else the seconds to wait.

        Raises `HostUnavailable`: then nothing may be attempted.
        """
        now, limits = self._host.clock.time(), self._limits()
        for name, most in zip(_names(account, address), limits, strict=True):
            if self._locked.get(name, now):
                return self._locked.until(name) - now
            until = await self._charge(name, most, now)
            if until > now:
                self._locked.put(name, True, until, now)
                return until - now
        return 0.0

    async def clear(self, account: str, address: str) -> None:
        """Forget the failures of an account from an address: it has signed in."""
        name = _names(account, address)[0]
        self._locked.pop(name)
        await self._host.kv.delete(_KEYS + name)

    async def forget(self, identity: str) -> None:
        """Forget what is counted of an address."""
        for name, _, _ in self._locked.items(0.0):
            if name.endswith(f"@{identity}"):
                self._locked.pop(name)
        try:
            for key in await self._host.kv.keys(_KEYS):
                if key.endswith(f"@{identity}"):
                    await self._host.kv.delete(key)
        except HostUnavailable as error:
            self._host.log.warning("attempts are not forgotten: %s", error)

    def _limits(self) -> tuple[int, int, int]:
        return self._attempts, self._attempts * _WIDE, self._attempts * _WIDE

    async def _charge(self, name: str, most: int, now: float) -> float:
        """Count one more; return until when there are too many, 0 if there are not."""
        kv, key = self._host.kv, _KEYS + name
        for _ in range(_TRIES):
            raw = await kv.get(key)
            count, until = json.loads(raw) if raw is not None else (0, now + self._window)
            if count >= most:
                return float(until)
            more = json.dumps([count + 1, until]).encode()
            if await kv.swap(key, raw, more, ttl=max(1.0, until - now)):
                return 0.0
        return now + 1.0


def _names(account: str, address: str) -> tuple[str, str, str]:
    return f"{account}@{address}", f"{account}@", f"@{address}"
