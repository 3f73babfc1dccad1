"""Health: how often to ask, how long to wait, and how many bad answers are too many."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class HealthState(enum.StrEnum):
    """What the last answers add up to."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    FAILING = "failing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """Ask every `interval` seconds, wait `timeout`; `failures` bad answers in a row are final."""

    interval: float = 10.0
    timeout: float = 5.0
    failures: int = 3


class Health:
    """The running verdict on one generation under a policy. It asks nobody: it is told."""

    __slots__ = ("consecutive", "policy", "reason", "state")

    def __init__(self, policy: HealthPolicy) -> None:
        self.policy = policy
        self.state = HealthState.UNKNOWN
        self.consecutive = 0
        """Bad answers in a row."""
        self.reason = ""
        """Why the last bad answer was bad; empty if the last answer was good."""

    def passed(self) -> HealthState:
        """A check came out well. Too late for a generation that has failed."""
        if self.state is not HealthState.FAILED:
            self.consecutive, self.reason = 0, ""
            self.state = HealthState.HEALTHY
        return self.state

    def failed(self, reason: str) -> HealthState:
        """A check raised or was late."""
        self.consecutive += 1
        self.reason = reason
        final = self.consecutive >= self.policy.failures
        self.state = HealthState.FAILED if final else HealthState.FAILING
        return self.state
