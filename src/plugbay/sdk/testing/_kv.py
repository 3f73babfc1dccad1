"""Key-value state in memory, with the gateway's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.sdk._host import HostUnavailable

if TYPE_CHECKING:
    from plugbay.sdk._host import Clock

MAX_KEY = 256
MAX_VALUE = 64 * 1024


class FakeKeyValue:
    """Set `available` to False to see what the plugin does while the supervisor is down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float | None]] = {}
        self.available = True

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None. Raises `HostUnavailable`, `ValueError`."""
        self._check(key)
        value, ends = self._values.get(key, (None, None))
        if ends is not None and ends <= self._clock.monotonic():
            del self._values[key]
            return None
        return value

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store the value, for `ttl` seconds if given. Raises `HostUnavailable`, `ValueError`."""
        self._check(key)
        if len(value) > MAX_VALUE:
            raise ValueError(f"a value is at most {MAX_VALUE} bytes, this one {len(value)}")
        self._values[key] = (value, None if ttl is None else self._clock.monotonic() + ttl)

    async def swap(
        self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None
    ) -> bool:
        """Store the value if `expected` is there. Raises `HostUnavailable`, `ValueError`."""
        if await self.get(key) != expected:
            return False
        await self.set(key, value, ttl=ttl)
        return True

    async def delete(self, key: str) -> None:
        """Forget the key; it need not be there. Raises `HostUnavailable`, `ValueError`."""
        self._check(key)
        self._values.pop(key, None)

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, sorted. Raises `HostUnavailable`."""
        self._check(prefix)
        now = self._clock.monotonic()
        alive = (key for key, (_, ends) in self._values.items() if ends is None or ends > now)
        return sorted(key for key in alive if key.startswith(prefix))

    def _check(self, key: str) -> None:
        if not self.available:
            raise HostUnavailable("the key-value store is switched off by the test")
        if len(key) > MAX_KEY:
            raise ValueError(f"a key is at most {MAX_KEY} characters, this one {len(key)}")
