"""Limits on callers: how often anybody may ask."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel import TooManyRequests

if TYPE_CHECKING:
    from plugbay.kernel import Clock

MOST_KEYS = 10_000
"""Callers remembered at once; the one seen longest ago is forgotten first."""


@dataclass(slots=True)
class _Count:
    start: float
    used: int = 0
    refused: bool = False


class Window:
    """Counts by key, in windows of fixed length that start with a key's first count."""

    def __init__(self, clock: Clock, *, quota: int, seconds: float) -> None:
        self._clock, self.quota, self.seconds = clock, quota, seconds
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def count(self, key: str) -> None:
        """Count one."""
        self._current(key).used += 1

    def forget(self, key: str) -> None:
        """Start `key` afresh."""
        self._counts.pop(key, None)

    def first_refusal(self, key: str) -> bool:
        """Whether nobody has asked this before of `key` in its window."""
        count = self._current(key)
        first, count.refused = not count.refused, True
        return first

    def left(self, key: str) -> int:
        """What `key` has left in its window."""
        return max(0, self.quota - self._current(key).used)

    def reset(self, key: str) -> int:
        """Whole seconds until the window of `key` ends, at least 1."""
        ends = self._current(key).start + self.seconds
        return max(1, math.ceil(ends - self._clock.monotonic()))

    def _current(self, key: str) -> _Count:
        now = self._clock.monotonic()
        count = self._counts.get(key)
        if count is None or now - count.start >= self.seconds:
            count = self._counts[key] = _Count(now)
        self._counts.move_to_end(key)
        if len(self._counts) > MOST_KEYS:
            self._counts.popitem(last=False)
        return count


class RateLimit:
    """A quota a minute for each caller, told in `RateLimit` headers.

    The headers are those of draft-ietf-httpapi-ratelimit-headers-11.
    """

    def __init__(self, clock: Clock, name: str, *, quota: int, seconds: float = 60.0) -> None:
        self._window = Window(clock, quota=quota, seconds=seconds)
        self._name = name

    def take(self, key: str) -> None:
        """Count one request of `key`. Raises `TooManyRequests`."""
        if self._window.left(key) == 0:
            wait = self._window.reset(key)
            raise TooManyRequests(
                f"more than {self._window.quota} requests in {self._window.seconds:g} s; "
                f"try again in {wait} s",
                retry_after=wait,
            )
        self._window.count(key)

    def first_refusal(self, key: str) -> bool:
        """Whether this is the first refusal of `key` in its window."""
        return self._window.first_refusal(key)

    def headers(self, key: str) -> list[tuple[str, str]]:
        """What to tell `key`."""
        left, reset = self._window.left(key), self._window.reset(key)
        quota, seconds = self._window.quota, self._window.seconds
        return [
            ("ratelimit-policy", f'"{self._name}";q={quota};w={seconds:g}'),
            ("ratelimit", f'"{self._name}";r={left};t={reset}'),
        ]
