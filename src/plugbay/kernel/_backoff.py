"""When to try again, and when to stop trying."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel._ports import Clock, Randomness


class Backoff:
    """Exponential delays with jitter: attempt 0 waits `first`, each later one `factor` longer.

    Up to `jitter` of each delay (a share of it) is taken off at random, so that what failed
    together does not come back together. No delay is longer than `ceiling`.
    """

    __slots__ = ("_ceiling", "_factor", "_first", "_jitter", "_randomness", "_steps")

    def __init__(
        self,
        randomness: Randomness,
        *,
        first: float = 0.5,
        factor: float = 2,
        ceiling: float = 60,
        jitter: float = 0.5,
    ) -> None:
        if first <= 0 or factor < 1 or ceiling < first or not 0 <= jitter <= 1:
            raise ValueError("first > 0, factor >= 1, ceiling >= first and 0 <= jitter <= 1")
        self._randomness = randomness
        self._first, self._factor, self._ceiling, self._jitter = first, factor, ceiling, jitter
        self._steps = math.log(ceiling / first, factor) if factor > 1 else math.inf

    def delay(self, attempt: int) -> float:
        """Return how many seconds to wait before the attempt after `attempt` others failed."""
        long = attempt >= self._steps  # never raise the factor to a power that overflows
        whole = self._ceiling if long else self._first * self._factor**attempt
        return whole * (1 - self._jitter * self._randomness.random())


class RestartBudget:
    """At most `restarts` within any `window` seconds; then it is time for quarantine."""

    __slots__ = ("_clock", "_restarts", "_spent", "_window")

    def __init__(self, clock: Clock, *, restarts: int = 5, window: float = 300) -> None:
        self._clock, self._restarts, self._window = clock, restarts, window
        self._spent: deque[float] = deque()

    @property
    def left(self) -> int:
        """How many restarts are left now."""
        horizon = self._clock.monotonic() - self._window
        while self._spent and self._spent[0] <= horizon:
            self._spent.popleft()
        return self._restarts - len(self._spent)

    def spend(self) -> bool:
        """Take one restart out of the budget; False means that there is none left."""
        if self.left <= 0:
            return False
        self._spent.append(self._clock.monotonic())
        return True

    def refill(self) -> None:
        """Forget what was spent: an operator wants another try."""
        self._spent.clear()
