"""What a plugin has decided about somebody, and the topics by which it tells the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal["allow", "block", "tarpit", "ban"]

VIOLATION: Final = "ratelimit.violation"
"""Somebody has asked more than is allowed: a fact, also in monitor mode."""
THREAT: Final = "security.threat.detected"
"""Somebody or something is known or seen to be hostile: a fact, also in monitor mode."""
VERDICT: Final = "protection.verdict"
"""A `Verdict` that others shall carry out: `ban` and `allow` by antiabuse, `tarpit` by tarpit."""
LIFT: Final = "protection.lift"
"""An administrator says that `identity` is a false positive: every plugin forgets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What shall happen to `identity` (`Identity.names` has them), for how long, and why.

    `reason` is a short word for metrics and filters (`rate`, `indicator`, `travel` …), `detail` a
    sentence for administrators. Neither is told to the client.
    """

    action: Action
    identity: str
    reason: str
    detail: str = ""
    seconds: float = 0.0
    status: int = 403
    retry_after: float | None = None
    score: float = 1.0

    def data(self) -> dict[str, Any]:
        """Return it as an event's data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Verdict | None:
        """Read one from an event's data; None for what is none."""
        action: Any = data.get("action")
        identity: object = data.get("identity")
        seconds, reason = data.get("seconds", 0.0), data.get("reason", "")
        if action not in get_args(Action) or not isinstance(identity, str) or not identity:
            return None
        if not isinstance(seconds, (int, float)) or not 0 <= seconds <= LONGEST:
            return None
        return cls(
            action=action,
            identity=identity[:256],
            reason=str(reason)[:64],
            detail=str(data.get("detail", ""))[:512],
            seconds=float(seconds),
        )


LONGEST: Final = 366 * 86_400.0
"""Seconds that a verdict may last."""
