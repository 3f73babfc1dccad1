"""Journeys that nobody can make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ._trails import COARSE, STEP

if TYPE_CHECKING:
    from ._place import Point
    from ._trails import Trails

_MEMO: Final = 16_384
_SETTLED: Final = 30.0
"""Seconds in which who stays where he was is not looked up again."""


class Journey(NamedTuple):
    """A distance in km, in how many seconds, and in how many more it will be possible."""

    distance: float
    seconds: float
    wait: float


class Travel:
    """Follows identities. The place where one was stays until the next can have been reached.

    So who shows a stolen session elsewhere is refused, and its owner is not. What databases may be
    wrong by is in the identity's favour: both accuracies, and `least` km in any case.
    """

    def __init__(self, trails: Trails, *, speed: float, least: float) -> None:
        self._trails, self._speed, self._least = trails, speed / 3600.0, least
        self._stayed: dict[str, tuple[Point, float]] = {}

    def to(self, identity: str, point: Point, now: float) -> Journey | None:
        """Move an identity; return the journey if it is impossible, and leave it where it was."""
        stayed = self._stayed.get(identity)
        if stayed is not None and now < stayed[1] and stayed[0] == point:
            return None
        last = self._trails.last(identity, now)
        if last is not None:
            distance = last.point.distance(point) - point.accuracy - 2 * COARSE
            needed, took = distance / self._speed, last.ago + STEP
            if distance > self._least and needed > took:
                return Journey(distance, took, needed - took)
        self._trails.put(identity, point, now)
        if len(self._stayed) >= _MEMO:
            self._stayed.clear()
        self._stayed[identity] = point, now + _SETTLED
        return None

    def forget(self, identity: str) -> None:
        """Let it be anywhere next."""
        self._stayed.pop(identity, None)
        self._trails.forget(identity)
