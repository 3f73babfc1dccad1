"""How the gateway is, as `/ready` and `/health` tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.observability import Check, HealthReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control import Roster


class Condition:
    """Asks the workers' sessions; `problem` says what is wrong with the settings."""

    def __init__(self, roster: Roster, problem: Callable[[], str]) -> None:
        self._roster, self._problem = roster, problem

    def ready(self) -> HealthReport:
        """Whether a worker serves."""
        serving = any(session.ready for session in self._roster.sessions.values())
        return HealthReport({"workers": Check(serving, "" if serving else "none is ready")})

    def health(self) -> HealthReport:
        """Whether all is as it should be."""
        problem = self._problem()
        return HealthReport({**self.ready().checks, "settings": Check(not problem, problem)})
