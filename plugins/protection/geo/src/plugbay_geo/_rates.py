"""One limit for each country, exact over all workers.

The generic cell rate algorithm (ITU-T I.371) over shared memory, as antiabuse explains it: a mark
that only grows, and a count for each worker that nobody else writes. There are 26 x 26 codes, so
each has its own place and nothing is ever evicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from plugbay.sdk import SharedMemory

CODES: Final = 26 * 26
SIZE, EACH = CODES * 8, CODES * 8
"""Bytes of shared memory, and for each worker more."""
_COUNT: Final = (1 << 28) - 1
"""A count that runs over frees once; so a product with an interval of up to an hour fits a word."""


class CountryRates:
    """Lets `limit` requests pass in `window` seconds from each country."""

    def __init__(self, memory: SharedMemory) -> None:
        self._words = memory.view.cast("B").cast("q")
        self._index, self._members = memory.index, memory.members

    def take(self, country: str, limit: float, window: float, now: float) -> float:
        """Charge a request; return 0 if it may pass, else the seconds to wait."""
        at = (ord(country[0]) - 65) * 26 + ord(country[1]) - 65
        first = CODES + at * self._members
        time, interval = int(now * 1e6), max(1, round(window * 1e6 / limit))
        ahead = round(window * 1e6)
        early = sum(self._words[first : first + self._members].tolist()) * interval - time
        level = early + self._words[at]
        if not 0 <= level <= ahead << 1:  # empty, or of another limit
            if level > 0 or -early > self._words[at]:
                self._words[at] = -early
            level = 0
        if level + interval > ahead:
            return (level + interval - ahead) / 1e6
        own = first + self._index
        self._words[own] = (self._words[own] + 1) & _COUNT
        return 0.0
