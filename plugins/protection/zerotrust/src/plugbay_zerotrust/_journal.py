"""What is told of decisions: counted all, logged where they are refusals or news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugbay.sdk.protection import Timed

if TYPE_CHECKING:
    from plugbay.sdk import Host, Request
    from plugbay.sdk.protection import Identity

    from ._config import Config
    from ._policy import Decision, Principal
    from ._risk import Risk

GRANTED: Final = "ztna.access.granted"
ASKED: Final = "ztna.authentication.required"
"""Somebody was asked to sign in, or for another proof; told once in a while."""
_NEWS: Final = 60.0
_MOST: Final = 16_384


class Journal:
    """Counts decisions, logs them for an audit, and tells other plugins of them."""

    def __init__(self, host: Host, config: Config) -> None:
        self._host, self._config = host, config
        self._told: Timed[bool] = Timed(_MOST)
        self._decisions = host.metrics.counter(
            "decisions_total", "Decisions, by outcome and reason.", ("outcome", "reason", "mode")
        )

    def counted(self, outcome: str, reason: str) -> None:
        """A decision that is no more than counted."""
        self._decisions.inc(outcome=outcome, reason=reason, mode=self._config.mode)

    def decided(
        self,
        request: Request,
        decision: Decision,
        principal: Principal | None,
        who: Identity,
        risk: Risk | None,
    ) -> None:
        """Log a decision: each refusal, and what is granted anew or was not of late."""
        self.counted(decision.outcome, decision.reason)
        user = principal.user if principal else ""
        granted = decision.outcome == "allow"
        if granted and not self._is_news(f"{user} {who.address} {decision.policy}"):
            return
        self._host.log.info(
            "policy decision",
            extra={
                "event": "policy.decision",
                "outcome": decision.outcome,
                "policy": decision.policy,
                "why": decision.reason,
                "user": user,
                "address": who.address,
                "method": request.method,
                "path": request.path[:256],
                "risk": risk.score if risk else None,
                "factors": risk.explanation(self._config.weights) if risk else [],
                "mode": self._config.mode,
            },
        )
        if granted and user:
            self._host.events.publish(
                GRANTED, user=user, identity=who.address, policy=decision.policy
            )

    def asked(self, decision: Decision, principal: Principal | None, who: Identity) -> None:
        """Somebody is asked to sign in, or for more."""
        if self._is_news(f"{ASKED} {who.address} {decision.outcome}"):
            self._host.events.publish(
                ASKED,
                user=principal.user if principal else "",
                identity=who.address,
                outcome=decision.outcome,
                policy=decision.policy,
            )

    def _is_news(self, key: str) -> bool:
        now = self._host.now()
        if self._told.get(key, now):
            return False
        self._told.put(key, True, now + _NEWS, now)
        return True
