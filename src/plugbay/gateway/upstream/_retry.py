"""When a request may be sent again, and how often that may happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.gateway._spec import Retries
    from plugbay.kernel import Clock

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""RFC 9110, section 9.2.2."""

_SECONDS = 10


class RetryBudget:
    """Bounds retries to a share of the requests of the last ten seconds.

    A fixed number of attempts multiplies the load on an upstream exactly when it cannot bear it;
    a share cannot. `minimum` retries a second are always there, so that a quiet route can retry.
    """

    __slots__ = ("_clock", "_requests", "_retries", "_second", "_spec", "spent")

    def __init__(self, spec: Retries, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._requests = [0] * _SECONDS
        self._retries = [0] * _SECONDS
        self._second = int(clock.monotonic())
        self.spent = 0
        """Retries granted, ever."""

    def request(self, count: int = 1) -> None:
        """Count first attempts."""
        self._requests[self._slide() % _SECONDS] += count

    def spend(self) -> bool:
        """Take one retry from the budget; False if there is none left."""
        second = self._slide()
        allowed = sum(self._requests) * self._spec.budget + self._spec.minimum * _SECONDS
        if sum(self._retries) + 1 > allowed:
            return False
        self._retries[second % _SECONDS] += 1
        self.spent += 1
        return True

    def _slide(self) -> int:
        """Empty the seconds that have passed out of the window; return the current one."""
        second = int(self._clock.monotonic())
        for passed in range(self._second + 1, min(second, self._second + _SECONDS) + 1):
            self._requests[passed % _SECONDS] = self._retries[passed % _SECONDS] = 0
        self._second = second
        return second
