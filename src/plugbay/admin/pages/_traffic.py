"""Traffic, as numbers and as lines to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.observability import TrafficPoint

WIDTH, HEIGHT, EDGE = 92.0, 24.0, 2.0
SHOWN = 60
"""Points of a line: five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One value over time: `path` is the `d` of an SVG path, `latest` the newest value."""

    path: str
    latest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficView:
    """What went through lately. `quiet`: nothing did."""

    requests: Curve
    errors: Curve
    """Per second."""
    answered: Curve
    p99: Curve
    in_flight: Curve
    quiet: bool

    @property
    def error_share(self) -> float | None:
        """Errors as a share of the requests; None without requests."""
        requests, errors = self.requests.latest, self.errors.latest
        return None if not requests or errors is None else errors / requests

    @classmethod
    def of(cls, points: Sequence[TrafficPoint]) -> TrafficView:
        """Draw the points."""
        shown = points[-SHOWN:]
        return cls(
            requests=curve([point.requests for point in shown]),
            errors=curve([point.errors for point in shown]),
            answered=curve([point.answered for point in shown]),
            p99=curve([point.p99 for point in shown]),
            in_flight=curve([float(point.in_flight) for point in shown]),
            quiet=not any(point.requests or point.in_flight for point in shown),
        )


def curve(values: Sequence[float | None]) -> Curve:
    """A line from the left to the right, between 0 and the highest value.

    Where there is no value the line is broken.
    """
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    parts: list[str] = []
    pen_up = True
    for index, value in enumerate(values):
        if value is None:
            pen_up = True
            continue
        x, y = index * step, HEIGHT - EDGE - value / highest * (HEIGHT - 2 * EDGE)
        parts.append(f"{'M' if pen_up else 'L'}{x:.1f},{y:.1f}")
        pen_up = False
    return Curve(path=" ".join(parts), latest=values[-1] if values else None)
