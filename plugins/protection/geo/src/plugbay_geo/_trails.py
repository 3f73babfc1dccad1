"""Where an identity was last, in memory that all workers share.

A trail is one word of 64 bits, so it is read and written in one piece, without a lock: a tag of the
identity (20 bits, beside the 16 and more that chose its bucket), latitude (10), longitude (11), and
the time in steps of 8 s (23). A point is right within 14 km, a time within 8 s: far less than what
databases are wrong by. Eight words are a bucket; a newcomer takes the place of the oldest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from ._place import Point

if TYPE_CHECKING:
    from plugbay.sdk import SharedMemory

WAYS: Final = 8
WORD: Final = 8
COARSE: Final = 14.0
"""Km by which a point that was kept may be off."""
STEP: Final = 8.0
"""Seconds by which a time that was kept may be off."""
_LATITUDES, _LONGITUDES, _TIMES = 1 << 10, 1 << 11, 1 << 23


class Trail(NamedTuple):
    """Where somebody was, and how many seconds ago."""

    point: Point
    ago: float


class Trails:
    """Trails by identity; those older than `ttl` seconds are forgotten."""

    def __init__(self, memory: SharedMemory, ttl: float) -> None:
        self._words = memory.view.cast("B").cast("Q")
        self._buckets = len(self._words) // WAYS
        self._ttl = min(ttl, (_TIMES - 2) * STEP)

    def last(self, identity: str, now: float) -> Trail | None:
        """Return where `identity` was last."""
        first, tag = self._bucket(identity)
        found = self._find(first, tag)
        if found is None:
            return None
        word = self._words[found]
        ago = _ago(word, now)
        return Trail(_point(word), ago) if ago <= self._ttl else None

    def put(self, identity: str, point: Point, now: float) -> None:
        """Say where `identity` is now."""
        first, tag = self._bucket(identity)
        at = self._find(first, tag)
        if at is None:
            slots = range(first, first + WAYS)
            at = max(slots, key=lambda slot: _age(self._words[slot], now))
        word = _word(tag, point, now)
        if self._words[at] != word:
            self._words[at] = word

    def forget(self, identity: str) -> None:
        """Forget where it was."""
        first, tag = self._bucket(identity)
        at = self._find(first, tag)
        if at is not None:
            self._words[at] = 0

    def _bucket(self, identity: str) -> tuple[int, int]:
        digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=8).digest()
        number = int.from_bytes(digest)
        # A word of a tag 0 would look like an empty one.
        return (number >> 20) % self._buckets * WAYS, (number & 0xF_FFFF) or 1

    def _find(self, first: int, tag: int) -> int | None:
        for at, word in enumerate(self._words[first : first + WAYS].tolist(), first):
            if word >> 44 == tag:
                return at
        return None


def _word(tag: int, point: Point, now: float) -> int:
    latitude = min(_LATITUDES - 1, int((point.latitude + 90) / 180 * _LATITUDES))
    longitude = int((point.longitude + 180) / 360 * _LONGITUDES) % _LONGITUDES
    return tag << 44 | latitude << 34 | longitude << 23 | _tick(now)


def _point(word: int) -> Point:
    latitude, longitude = word >> 34 & _LATITUDES - 1, word >> 23 & _LONGITUDES - 1
    return Point(
        (latitude + 0.5) / _LATITUDES * 180 - 90, (longitude + 0.5) / _LONGITUDES * 360 - 180
    )


def _tick(now: float) -> int:
    return int(now / STEP) % _TIMES


def _ago(word: int, now: float) -> float:
    """Return the seconds since. Another worker may be a step ahead of this one: that is now."""
    ticks = (_tick(now) - word) % _TIMES
    return 0.0 if ticks == _TIMES - 1 else ticks * STEP


def _age(word: int, now: float) -> float:
    return _ago(word, now) if word else float("inf")
