"""The generic cell rate algorithm over memory that workers share, without locks.

GCRA (ITU-T I.371) charges each request an interval of time T = window / limit, and lets a client be
`burst * T` ahead of the clock at most. How far it is ahead is the level of a bucket that leaks:

    level(now) = charged - now + mark        mark = the largest (time - charged) so far

`mark` is where the bucket was last empty (the reflection of a queue at zero). So a client's state
is a sum that only grows and a maximum that only grows, and each worker can keep its own part of
the sum: a counter that no one else writes. Nothing is lost when two write at once; workers that
look at the same time may each let one more pass than they would have in turn, and what they let
pass is charged. In all that is one request for each other worker, not one for each race.

A slot is a key (64 bits of a keyed hash), the mark (ns), and a 32-bit count for each worker. Eight
slots are a bucket. A stranger in a full bucket takes over the slot with the lowest level and
keeps that level (as Space-Saving does), so memory is bounded and nobody is freed by crowding.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from plugbay.sdk import SharedMemory

WAYS = 8
_MEMO = 65_536
_COUNT = 0xFFFF_FFFF


class Rate(NamedTuple):
    """An interval for each request, and how far ahead of the clock a client may be; in ns."""

    interval: int
    ahead: int

    @classmethod
    def of(cls, limit: int, window: float, burst: int = 0) -> Rate:
        """`limit` requests in `window` seconds, `burst` (else `limit`) of them at once."""
        interval = max(1, round(window * 1e9 / limit))
        return cls(interval, interval * (burst or limit))


class Taken(NamedTuple):
    """What came of a request: how many more may follow now, and seconds.

    `wait` is until the next one may come (0 if it may come now), `reset` until all may.
    """

    allowed: bool
    remaining: int
    wait: float
    reset: float


SIZE, EACH = 16, 4
"""Bytes of shared memory for a client, and for each worker more."""


def _stride(members: int) -> int:
    return (SIZE + EACH * members + 7) // 8 * 8


class Buckets:
    """The clients' levels. `salt` must be the same in every worker, and known to nobody else."""

    def __init__(self, memory: SharedMemory, salt: bytes) -> None:
        members = memory.members
        self._stride, self._salt = _stride(members), salt
        self._buckets = len(memory.view) // (WAYS * self._stride)
        self._view = memory.view.cast("B")
        # Items of a view are written in one piece; `struct.pack_into` clears its place before it
        # writes, and another worker would see that.
        self._keys_view = self._view.cast("Q")
        self._marks, self._counts = self._view.cast("q"), self._view.cast("I")
        self._own = SIZE // EACH + memory.index
        self._slot = struct.Struct(f"@Qq{members}I")
        self._index = 2 + memory.index
        self._memo: dict[str, tuple[int, int]] = {}
        self.shared = 0
        """Times that a stranger has taken over a slot that was not idle."""

    def take(self, name: str, rate: Rate, now: int) -> Taken:
        """Charge a request of `name` at `now` (monotonic ns) if it may come."""
        interval, ahead = rate
        known = self._memo.get(name) or self._remember(name)
        at, key = known
        slot = self._slot.unpack_from(self._view, at)
        if slot[0] != key:
            at = self._settle(key, rate, now)
            self._memo[name] = at, key
            slot = self._slot.unpack_from(self._view, at)
        early = sum(slot[2:]) * interval - now
        level = early + slot[1]
        if not 0 <= level <= ahead << 1:
            self._raise(at, -early, level > 0)
            level = 0
        level += interval
        if level > ahead:
            over = level - ahead
            return Taken(False, 0, over / 1e9, (level - interval) / 1e9)
        self._counts[(at >> 2) + self._own] = (slot[self._index] + 1) & _COUNT
        return Taken(True, (ahead - level) // interval, 0.0, level / 1e9)

    def _raise(self, at: int, empty: int, absurd: bool) -> None:
        """The bucket was found empty: move the mark, and only upwards.

        The mark is all that several workers write. It is read again just before, since what was
        read with the counts may be old by now. A level that is `absurd` is of another limit, or
        a count has run over: then the mark is set in any case.
        """
        where = (at >> 3) + 1
        if absurd or empty > self._marks[where]:
            self._marks[where] = empty

    def level(self, name: str, rate: Rate, now: int) -> float:
        """Return how many requests `name` is ahead now."""
        key = self._key(name)
        at = self._find(key)
        return 0.0 if at is None else self._level(at, rate, now) / rate.interval

    def forgive(self, name: str, rate: Rate, now: int) -> None:
        """Empty the bucket of `name`."""
        at = self._find(self._key(name))
        if at is not None and (level := self._level(at, rate, now)):
            self._marks[(at >> 3) + 1] -= level

    def _remember(self, name: str) -> tuple[int, int]:
        """Return the first slot of its bucket: which one it is shows when it is looked at."""
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        key = self._key(name)
        at = self._find(key)
        made = self._memo[name] = (self._first(key) if at is None else at), key
        return made

    def _key(self, name: str) -> int:
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8, key=self._salt)
        return int.from_bytes(digest.digest()) | 1

    def _first(self, key: int) -> int:
        return (key >> 1) % self._buckets * WAYS * self._stride

    def _keys(self, first: int) -> list[int]:
        at, step = first // 8, self._stride // 8
        return self._keys_view[at : at + WAYS * step : step].tolist()

    def _find(self, key: int) -> int | None:
        first = self._first(key)
        keys = self._keys(first)
        return first + keys.index(key) * self._stride if key in keys else None

    def _settle(self, key: int, rate: Rate, now: int) -> int:
        """Return the slot of `key`, a new one if it has none."""
        found = self._find(key)
        if found is not None:
            return found
        first = self._first(key)
        keys = self._keys(first)
        if 0 in keys:
            at = first + keys.index(0) * self._stride
        else:
            slots = range(first, first + WAYS * self._stride, self._stride)
            at = min(slots, key=lambda slot: self._level(slot, rate, now))
            self.shared += self._level(at, rate, now) > 0
        self._keys_view[at // 8] = key
        return at

    def _level(self, at: int, rate: Rate, now: int) -> int:
        slot = self._slot.unpack_from(self._view, at)
        level = sum(slot[2:]) * rate.interval - now + slot[1]
        return level if 0 <= level <= rate.ahead << 1 else 0
