"""What to do about a plugin that failed: restart it after a while, or put it in quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel._backoff import Backoff, RestartBudget


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a fresh generation `after` so many seconds; `attempt` counts from 1."""

    after: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Leave it alone until an operator asks for another try."""

    reason: str


class RestartPolicy:
    """Decides for one slot. It waits and starts nothing itself, so it is the same in any world."""

    __slots__ = ("_backoff", "_budget", "attempt", "quarantined")

    def __init__(self, backoff: Backoff, budget: RestartBudget) -> None:
        self._backoff, self._budget = backoff, budget
        self.attempt = 0
        """Failures since it last ran well."""
        self.quarantined: Quarantine | None = None

    def failed(self, reason: str) -> Restart | Quarantine:
        """The plugin failed, running or starting: say what comes next."""
        if self.quarantined is None and self._budget.spend():
            self.attempt += 1
            return Restart(self._backoff.delay(self.attempt - 1), self.attempt)
        if self.quarantined is None:
            self.quarantined = Quarantine(f"failed too often; the last time: {reason}")
        return self.quarantined

    def steady(self) -> None:
        """It has run well for a while: the next failure begins with a short delay again."""
        self.attempt = 0

    def retry(self) -> None:
        """An operator wants another try: forget all failures."""
        self.attempt, self.quarantined = 0, None
        self._budget.refill()
