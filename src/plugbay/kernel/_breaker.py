"""A circuit breaker: it keeps calls away from what fails, and tries again after a rest."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel._ports import Clock


class BreakerState(enum.StrEnum):
    """Whether calls pass: all, none, or one on trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Opens when at least `failures` calls, and `ratio` of all, failed in the last `window`.

    The window is kept as two halves, so it is between half and the whole of `window` long.
    Successes cost one addition and no look at the clock: only failures turn the window.

    While open, `allow` refuses for `rest` seconds; then it lets one call through on trial. Its
    success closes the breaker, its failure opens it again; a trial that reports neither (its
    request was cancelled) is given up after another `rest`.
    """

    __slots__ = (
        "_before",
        "_clock",
        "_failed",
        "_since",
        "closed",
        "failures",
        "opened",
        "passed",
        "ratio",
        "rest",
        "state",
        "window",
    )

    def __init__(
        self,
        clock: Clock,
        *,
        failures: int = 5,
        ratio: float = 0.5,
        window: float = 10.0,
        rest: float = 5.0,
    ) -> None:
        self._clock = clock
        self.failures, self.ratio, self.window, self.rest = failures, ratio, window, rest
        self.state = BreakerState.CLOSED
        self.closed = True
        """The same as `state`, as the one attribute that a hot path looks at."""
        self.opened = 0
        """How often it has opened."""
        self._before = (0, 0)
        self.passed = 0
        """Successes of this half of the window. While `closed`, a hot path may add to it what
        `success` would."""
        self._failed = 0
        self._since = clock.monotonic()

    def allow(self) -> bool:
        """Whether a call may be made now. Every allowed call reports its end."""
        if self.closed:
            return True
        now = self._clock.monotonic()
        if now - self._since < self.rest:
            return False
        self.state, self._since = BreakerState.HALF_OPEN, now
        return True

    def success(self) -> None:
        """A call went well. Late news of calls from before it opened changes nothing."""
        if self.closed:
            self.passed += 1
        elif self.state is BreakerState.HALF_OPEN:
            self.reset()

    def failure(self) -> None:
        """A call failed."""
        if self.state is BreakerState.HALF_OPEN:
            self._open(self._clock.monotonic())
        elif self.closed:
            self._count(self._clock.monotonic())

    def reset(self) -> None:
        """Close it and forget the past."""
        self.state, self.closed = BreakerState.CLOSED, True
        self._before = (0, 0)
        self.passed = self._failed = 0
        self._since = self._clock.monotonic()

    def _count(self, now: float) -> None:
        half, age = self.window / 2, now - self._since
        if age >= self.window:
            self._before, self._since = (0, 0), now
            self.passed = self._failed = 0
        elif age >= half:
            self._before, self._since = (self.passed, self._failed), self._since + half
            self.passed = self._failed = 0
        self._failed += 1
        failed = self._failed + self._before[1]
        if failed >= self.failures and failed >= self.ratio * (failed + self._passed_in_all()):
            self._open(now)

    def _passed_in_all(self) -> int:
        return self.passed + self._before[0]

    def _open(self, now: float) -> None:
        self.state, self.closed, self._since = BreakerState.OPEN, False, now
        self.opened += 1

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.state}>"
