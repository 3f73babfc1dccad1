"""How one client behaves, kept in constant space and time; nothing of what it asked is kept."""

from __future__ import annotations

from math import log, log1p, sqrt
from typing import Final

_SUFFIXES = "css js mjs map png jpg jpeg gif svg ico webp avif bmp woff woff2 ttf eot otf mp4"
ASSETS: Final = frozenset(_SUFFIXES.split(" "))
"""What a browser fetches by itself after a page."""
BITS: Final = 128
FULL: Final = 128
"""Requests after which older ones count half."""
SMOOTH: Final = 0.2


class Profile:
    """Counts of one client. `due` says when it has changed enough to be scored anew."""

    __slots__ = (
        "agent",
        "assets",
        "distinct",
        "errors",
        "flagged",
        "gap",
        "last",
        "marks",
        "next",
        "paged",
        "referers",
        "score",
        "seen",
        "since",
        "spread",
        "total",
    )

    def __init__(self, agent: str, now: float, least: int) -> None:
        self.agent, self.last, self.next = agent, now, least
        self.total = 0
        self.seen = self.assets = self.referers = self.errors = 0.0
        self.marks = self.since = 0
        self.distinct = 1.0
        self.gap = self.spread = self.paged = 0.0
        self.flagged = False
        self.score = -1.0

    def update(self, now: float, path: str, referred: bool, failed: bool) -> bool:
        """Take in one request; return whether the client is due to be scored."""
        self.total += 1
        self.seen += 1.0
        if path.rpartition(".")[2] in ASSETS:
            self.assets += 1.0
        else:
            self._page(now)
        self.last = now
        if referred:
            self.referers += 1.0
        if failed:
            self.errors += 1.0
        self.marks |= 1 << (hash(path) & (BITS - 1))
        self.since += 1
        if self.seen >= FULL:
            self._age()
        if self.total < self.next:
            return False
        self.next = self.total + max(3, min(self.total, 50))
        return True

    def features(self) -> dict[str, float]:
        """Return what the model looks at. The browser's name is not among it."""
        seen = max(1.0, self.seen)
        return {
            "assets": self.assets / seen,
            "referers": self.referers / seen,
            "errors": self.errors / seen,
            "distinct": self._distinct(),
            "rate": log1p(60.0 / max(0.05, self.gap)),
            "regular": sqrt(self.spread) / (self.gap + 1.0),
            "many": log1p(min(self.total, 1000)),
        }

    def _page(self, now: float) -> None:
        """Take in the time since the page before: assets come with a page, at its pace."""
        if self.paged:
            gap = max(0.0, min(now - self.paged, 600.0))
            far = gap - self.gap
            self.gap += SMOOTH * far
            self.spread += SMOOTH * (far * far - self.spread)
        self.paged = now

    def _distinct(self) -> float:
        """Return the share of requests for what was not asked before, by linear counting.

        Whang, Vander-Zanden and Taylor, 1990: n = -m ln(share of bits that are not set).
        """
        if self.since < 3:
            return self.distinct
        left = BITS - self.marks.bit_count()
        return min(1.0, -BITS * log(max(1, left) / BITS) / self.since)

    def _age(self) -> None:
        self.distinct = self._distinct()
        self.marks = self.since = 0
        self.seen /= 2
        self.assets /= 2
        self.referers /= 2
        self.errors /= 2


class Profiles:
    """At most so many clients: who has been quiet for longest goes."""

    __slots__ = ("_idle", "_kept", "_least", "_most", "dropped")

    def __init__(self, most: int, idle: float, least: int) -> None:
        self._kept: dict[str, Profile] = {}
        self._most, self._idle, self._least = most, idle, least
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, identity: str) -> Profile | None:
        """Return the profile of a client if there is one."""
        return self._kept.get(identity)

    def of(self, identity: str, agent: str, now: float) -> Profile:
        """Return the profile of a client; a new one if it was away for long."""
        kept = self._kept
        found = kept.pop(identity, None)
        if found is None or now - found.last > self._idle:
            found = Profile(agent[:256], now, self._least)
            if len(kept) >= self._most:
                del kept[next(iter(kept))]
                self.dropped += 1
        kept[identity] = found
        return found

    def forget(self, identity: str) -> None:
        """Know nothing of a client any more."""
        self._kept.pop(identity, None)
