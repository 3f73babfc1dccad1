"""Who may do what: the first policy that fits a request, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote

from ._config import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

Outcome = Literal["allow", "sign-in", "step-up", "deny"]
DEFAULT: Final = Policy(name="default")
_MEMO: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who has proved who he is."""

    user: str
    roles: tuple[str, ...] = ()
    level: int = 1
    proved: float = 0.0
    device: str = ""
    address: str = ""
    """Where the session began; empty for a token, which has no place."""
    strange: tuple[str, ...] = ()
    trusted: bool = False
    session: str = ""
    methods: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says, and why in a word."""

    outcome: Outcome
    policy: str
    reason: str


class Policies:
    """Finds the policy of a request. Paths fit by whole segments, decoded once."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = tuple(policies)
        self._memo: dict[tuple[str, str], Policy | None] = {}

    def of(self, method: str, path: str) -> Policy | None:
        """Return the policy; None for a path that others may read otherwise than we do."""
        key = method, path
        if key in self._memo:
            return self._memo[key]
        found = self._find(method, path)
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        if len(path) <= 512:
            self._memo[key] = found
        return found

    def _find(self, method: str, path: str) -> Policy | None:
        plain = unquote(path, errors="replace")
        segments = plain.split("/")
        if any(bad in plain for bad in ("%", "\\", "\0", ";")) or not {"..", "."}.isdisjoint(
            segments
        ):
            return None
        plain = "/" + "/".join(segment for segment in segments if segment)
        for policy in self._policies:
            if policy.methods and method not in policy.methods:
                continue
            # What is public must be named as it is asked for; a rule holds in whatever case.
            if any(_below(plain, top, exact=policy.public) for top in policy.paths):
                return policy
        return DEFAULT


def decide(
    policy: Policy, who: Principal | None, score: float, now: float, *, most: float, step: float
) -> Decision:
    """Return what comes of a request; `most` and `step` are the configuration's bounds of risk."""
    if policy.public:
        return Decision("allow", policy.name, "public")
    if who is None:
        return Decision("sign-in", policy.name, "nobody")
    if who.level < 1:
        return Decision("step-up", policy.name, "second-factor")
    if policy.roles and not set(policy.roles) & set(who.roles):
        return Decision("deny", policy.name, "role")
    if score > min(most, policy.max_risk):
        return Decision("deny", policy.name, "risk")
    if who.level < policy.level:
        return Decision("step-up", policy.name, "level")
    if policy.device and not who.device:
        return Decision("step-up", policy.name, "device")
    if policy.fresh and now - who.proved > policy.fresh:
        return Decision("step-up", policy.name, "fresh")
    if score > step and who.level < 2:
        return Decision("step-up", policy.name, "risk")
    return Decision("allow", policy.name, "policy")


def _below(path: str, top: str, *, exact: bool) -> bool:
    top = top.rstrip("/")
    if not exact:
        path, top = path.casefold(), top.casefold()
    return path == top or path.startswith(top + "/")
