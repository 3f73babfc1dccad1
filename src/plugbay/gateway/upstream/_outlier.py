"""Passive health: a target that fails request after request rests for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway._spec import OutlierDetection
    from plugbay.gateway.upstream._targets import TargetState
    from plugbay.kernel import Clock


class OutlierDetector:
    """Ejects targets by what their exchanges come to; a success costs one attribute test.

    A failure is a connection that cannot be made or breaks, a time-out, or a 5xx that the caller
    counts as one. At most `max_ejected` of the targets rest at once (one at least, if there are
    several), and never the last that is usable. `failures` = 0 switches it off.
    """

    __slots__ = ("_clock", "_spec", "_targets")

    def __init__(
        self, spec: OutlierDetection, targets: Sequence[TargetState], clock: Clock
    ) -> None:
        self._spec = spec
        self._targets = tuple(targets)
        self._clock = clock

    def success(self, target: TargetState) -> None:
        """Forget the failures in a row."""
        if target.failures:
            target.failures = 0

    def failure(self, target: TargetState) -> bool:
        """Count a failure; True if the target was ejected for it."""
        target.failures += 1
        if not 0 < self._spec.failures <= target.failures:
            return False
        now = self._clock.monotonic()
        if target.ejected_until > now or not self._may_eject(target, now):
            return False
        target.failures = 0
        target.ejected_until = now + self._spec.ejection
        return True

    def _may_eject(self, target: TargetState, now: float) -> bool:
        others = [other for other in self._targets if other is not target]
        if not any(other.usable(now) for other in others):
            return False
        resting = sum(other.ejected_until > now for other in others)
        return resting < max(1, int(self._spec.max_ejected * len(self._targets)))
