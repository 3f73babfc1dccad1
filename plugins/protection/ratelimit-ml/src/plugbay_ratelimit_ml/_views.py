"""What administrators are told: the model, what is typical, and what is known of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from plugbay.sdk import Host
    from plugbay.sdk.protection import Timed

    from ._crowd import Crowd
    from ._profile import Profiles
    from ._scorer import Scorer

_SHOWN: Final = 50


class Views:
    """Reads the plugin's parts, and changes none."""

    def __init__(
        self, host: Host, scorer: Scorer, profiles: Profiles, verdicts: Timed[str], crowd: Crowd
    ) -> None:
        self._host, self._scorer, self._profiles = host, scorer, profiles
        self._verdicts, self._crowd = verdicts, crowd

    def status(self, mode: str) -> dict[str, Any]:
        """Return how the model stands, and how many clients are known and blocked."""
        model = self._scorer.model
        return {
            "mode": mode,
            "ready": model is not None,
            "warm": model is not None and model.warm,
            "samples": 0 if model is None else model.samples,
            "hostile_samples": 0 if model is None else model.hostile,
            "drifts": 0 if model is None else model.drifts,
            "clients": len(self._profiles),
            "blocked": len(self._verdicts),
            "suspects": len(self._crowd),
            "waiting": len(self._scorer),
            "scored": self._scorer.scored,
            "dropped": self._scorer.dropped,
        }

    def patterns(self) -> dict[str, Any]:
        """Return what the model holds for typical, and who is suspect or blocked."""
        model, now = self._scorer.model, self._host.now()
        blocked = [
            {"identity": one, "reason": reason, "seconds": round(until - now, 1)}
            for one, until, reason in self._verdicts.items(now)
        ]
        return {
            "weights": {} if model is None else model.weights(),
            "coordinated": self._crowd.going_on(now),
            "suspects": len(self._crowd),
            "usual_suspects": round(self._crowd.usual, 3),
            "attack_from": self._crowd.limit,
            "blocked": blocked[:_SHOWN],
            "blocked_total": len(blocked),
        }

    def check(self, identity: str, *, lifted: bool) -> dict[str, Any]:
        """Return what is known of a client, and what each feature adds to its score."""
        now, profile, model = self._host.now(), self._profiles.get(identity), self._scorer.model
        reason = self._verdicts.get(identity, now)
        said: dict[str, Any] = {
            "identity": identity,
            "blocked": reason is not None,
            "reason": reason or "",
            "seconds": max(0.0, self._verdicts.until(identity) - now),
            "lifted": lifted,
        }
        if profile is not None:
            features = profile.features()
            said |= {
                "requests": profile.total,
                "score": None if profile.score < 0 else round(profile.score, 4),
                "features": {name: round(value, 4) for name, value in features.items()},
                "reasons": {} if model is None else model.reasons(features),
            }
        return said
