"""The watch window after a change: is the fresh generation good enough to stay?"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel._ports import Clock
    from plugbay.kernel._vitals import Vitals


class WatchOutcome(enum.StrEnum):
    """What a watch has found."""

    PENDING = "pending"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and for a bad one why."""

    outcome: WatchOutcome
    reason: str = ""

    @property
    def pending(self) -> bool:
        """Whether the window is still open."""
        return self.outcome is WatchOutcome.PENDING

    @property
    def bad(self) -> bool:
        """Whether the change must be rolled back."""
        return self.outcome is WatchOutcome.BAD


class Watch:
    """Judges a generation by its error rate for `seconds` after it became current.

    It is bad as soon as more than `max_failure_ratio` of its calls failed, where fewer than
    `min_calls` calls count as that many, the missing ones as good: one early failure is not a
    verdict, and an outage is one long before `min_calls` were made. A call is one hook: a plugin
    with two of them that fails one request in ten fails one call in twenty. What it did before
    the watch began does not count. A verdict, once given, stays.
    """

    __slots__ = ("_clock", "_ends", "_min_calls", "_ratio", "_verdict", "_vitals", "_was")

    def __init__(
        self,
        clock: Clock,
        vitals: Vitals,
        *,
        seconds: float,
        min_calls: int = 100,
        max_failure_ratio: float = 0.02,
    ) -> None:
        self._clock, self._vitals = clock, vitals
        self._ends = clock.monotonic() + seconds
        self._min_calls, self._ratio = min_calls, max_failure_ratio
        vitals.settle()
        self._was = (vitals.calls, vitals.failures)
        self._verdict = Verdict(WatchOutcome.PENDING)

    def condemn(self, reason: str) -> None:
        """End the watch badly for a reason seen elsewhere: it crashed, or is unhealthy."""
        if self._verdict.pending:
            self._verdict = Verdict(WatchOutcome.BAD, reason)

    def verdict(self) -> Verdict:
        """Look at the figures now."""
        if self._verdict.pending:
            self._vitals.settle()
            calls = self._vitals.calls - self._was[0]
            failures = self._vitals.failures - self._was[1]
            if failures > self._ratio * max(calls, self._min_calls):
                self.condemn(self._explain(calls, failures))
            elif self._clock.monotonic() >= self._ends:
                self._verdict = Verdict(WatchOutcome.GOOD)
        return self._verdict

    def _explain(self, calls: int, failures: int) -> str:
        last = f"; the last: {self._vitals.last_error}" if self._vitals.last_error else ""
        return f"{failures} of {calls} calls failed, more than {self._ratio:.1%}{last}"
