"""Time that moves when the test says so."""

from __future__ import annotations


class ManualClock:
    """A clock that stands still until `advance`."""

    def __init__(self, *, monotonic: float = 1000.0, time: float = 1_700_000_000.0) -> None:
        self._monotonic, self._time = monotonic, time

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises `ValueError` for a negative number."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._monotonic += seconds
        self._time += seconds
