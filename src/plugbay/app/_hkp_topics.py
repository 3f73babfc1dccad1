"""What the HKP gateway calls the events of our plugins: who listens to its names hears them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERDICT: Final = "protection.verdict"

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ratelimit.violation": ("security.ratelimit.triggered",),
    "ratelimit.geo.anomaly": ("security.anomaly.detected",),
    "ml.traffic_anomaly": ("ratelimit.ml.anomaly", "security.anomaly.detected"),
    "ml.coordinated_attack": ("security.anomaly.detected",),
    "ztna.risk.score.updated": ("security.risk.assessment",),
    "ztna.access.denied": ("endpoint.access.denied",),
    "ztna.access.granted": ("endpoint.access.granted",),
    "protection.lift": ("protection.ban.lifted",),
}


def also_called(topic: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the other topics under which an event is to be heard."""
    if topic != VERDICT:
        return NAMES.get(topic, ())
    if data.get("action") != "ban":
        return ()
    added = "protection.ban.added"
    return (added, "ratelimit.threshold.hit") if data.get("reason") == "rate" else (added,)
