"""Which scores are rare among clients that nobody calls software."""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 1000
LEAST: Final = 100
"""Scores before what is rare means anything."""
EVERY: Final = 20


class Usual:
    """The scores of late of such clients. The model learns on, and its scores move: a bound that
    is right today blocks people tomorrow, so that what is rare is counted here as well."""

    __slots__ = ("_limit", "_rate", "_scores", "_since")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._scores: deque[float] = deque(maxlen=KEPT)
        self._limit = 0.0
        self._since = 0

    def add(self, score: float) -> None:
        """Take in a score."""
        self._scores.append(score)
        self._since += 1
        if self._since >= EVERY and len(self._scores) >= LEAST:
            self._since = 0
            ordered = sorted(self._scores, reverse=True)
            self._limit = ordered[min(len(ordered) - 1, int(len(ordered) * self._rate))]

    @property
    def limit(self) -> float:
        """The score that at most `rate` of them are above; 0 while too few are known."""
        return self._limit
