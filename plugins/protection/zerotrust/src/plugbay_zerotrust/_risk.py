"""How risky a request is: a weighted mean of named factors, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugbay.sdk.protection import Timed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._policy import Principal

_MOST: Final = 65_536
_SUSPECT: Final = 3600.0
_REFUSALS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Factor:
    """From 0 to 1, and why."""

    name: str
    value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Risk:
    """A score from 0 to 1, and what it is made of."""

    score: float
    factors: tuple[Factor, ...]

    def explanation(self, weights: Mapping[str, float]) -> list[dict[str, object]]:
        """Return each factor for administrators."""
        return [
            {
                "factor": f.name,
                "value": f.value,
                "weight": weights.get(f.name, 0.0),
                "why": f.reason,
            }
            for f in self.factors
        ]


class Suspicions:
    """What others tell of identities, and how often policies have refused them."""

    def __init__(self) -> None:
        self.threats: Timed[str] = Timed(_MOST)
        self.anomalies: Timed[str] = Timed(_MOST)
        self._refusals: Timed[int] = Timed(_MOST)

    def refused(self, name: str, now: float) -> None:
        """Count a refusal of a user or an address."""
        count = self._refusals.get(name, now) or 0
        until = self._refusals.until(name) if count else now + _REFUSALS
        self._refusals.put(name, count + 1, until, now)

    def refusals(self, name: str, now: float) -> int:
        """Return how many there were of late."""
        return self._refusals.get(name, now) or 0

    def hear(self, topic: str, identity: str, reason: str, now: float) -> None:
        """Note what another plugin says of an identity."""
        table = self.anomalies if topic.startswith(("ml.", "ratelimit.geo")) else self.threats
        table.put(identity, reason, now + _SUSPECT, now)

    def forget(self, identity: str) -> None:
        """Forget all of it."""
        for table in (self.threats, self.anomalies):
            table.pop(identity)
        self._refusals.pop(identity)


def assess(
    who: Principal,
    names: Iterable[str],
    suspicions: Suspicions,
    weights: Mapping[str, float],
    now: float,
) -> Risk:
    """Weigh what is known of somebody who has signed in and asks under these `names`."""
    known = tuple(names)
    threat = next((t for n in known if (t := suspicions.threats.get(n, now))), "")
    anomaly = next((t for n in known if (t := suspicions.anomalies.get(n, now))), "")
    refusals = max((suspicions.refusals(n, now) for n in (f"user:{who.user}", *known)), default=0)
    factors = (
        _location(who, known),
        _flag("time", "hour" in who.strange, "an unusual hour for this user", 1.0),
        _flag("device", not who.device, "not bound to a device's key", 0.6),
        Factor("behaviour", min(1.0, refusals / 10), f"{refusals} refusals in 5 minutes"),
        _flag("threat", bool(threat), f"told of the address or session: {threat}", 1.0),
        Factor("authentication", 0.0 if who.level >= 2 else 0.6, f"level {who.level}"),
        _flag("anomaly", bool(anomaly), f"told of the address or session: {anomaly}", 1.0),
    )
    total = sum(weights.get(f.name, 0.0) for f in factors)
    score = sum(f.value * weights.get(f.name, 0.0) for f in factors) / total if total else 0.0
    return Risk(round(score, 4), factors)


def _location(who: Principal, names: tuple[str, ...]) -> Factor:
    if who.address and who.address not in names and not who.trusted:
        return Factor("location", 1.0, "the session began at another address")
    return _flag("location", "place" in who.strange, "an address that is new for this user", 0.6)


def _flag(name: str, there: bool, reason: str, value: float) -> Factor:
    return Factor(name, value if there else 0.0, reason if there else "nothing unusual")
