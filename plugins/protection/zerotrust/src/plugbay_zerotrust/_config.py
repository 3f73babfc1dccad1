"""What an operator may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plugbay.sdk.protection import Mode, Networks

WEIGHTS = {
    "location": 0.15,
    "time": 0.10,
    "device": 0.15,
    "behaviour": 0.20,
    "threat": 0.15,
    "authentication": 0.10,
    "anomaly": 0.15,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of those who want `paths` (and what is below them) by `methods` (all)."""

    name: str
    paths: tuple[str, ...] = ("/",)
    methods: tuple[str, ...] = ()
    public: bool = False
    roles: tuple[str, ...] = ()
    """One of them is needed, if any is named."""
    level: int = 1
    """1: signed in, with the second factor of who has one; 2: two factors or a passkey."""
    fresh: float = 0.0
    """Seconds since the last proof at most; 0 is as long as the session lasts."""
    device: bool = False
    """Whether the session must be bound to a device's key."""
    max_risk: float = 1.0
    """The highest risk; the configuration's counts if it is lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose JWTs are taken as they are (RFC 7519), for one `audience`.

    The keys are `jwks`, else they are fetched from `jwks_url`, else from where the issuer's
    discovery document (OpenID Connect Discovery 1.0) says.
    """

    issuer: str
    audience: str
    jwks: dict[str, Any] = field(default_factory=dict[str, Any])
    jwks_url: str = ""
    roles_claim: str = "roles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Seconds everywhere. The first policy that fits counts; what none fits needs a sign-in."""

    mode: Mode = "monitor"
    prefix: str = "/ztna"
    """The endpoints are below it: login, verify, logout, device, status."""
    policies: tuple[Policy, ...] = ()
    cookie: str = "ztna-session"
    secure: bool = True
    """Whether the cookie is sent over TLS only; false is for tests on a bare port."""
    session_idle: float = 900.0
    session_absolute: float = 28_800.0
    sessions: int = 16_384
    """Sessions that a worker remembers."""
    cache_seconds: float = 5.0
    """How long a worker may remember a session without asking, if no event tells of a change."""
    max_risk: float = 0.7
    step_risk: float = 0.4
    """Above it a second factor is asked for, above `max_risk` nothing helps."""
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    reevaluate: float = 60.0
    origins: tuple[str, ...] = ()
    """Origins of pages that may use the endpoints, besides the gateway's own."""
    rp_id: str = ""
    """The domain that passkeys are for (WebAuthn); empty: no passkeys."""
    rp_name: str = "Plugbay"
    issuers: tuple[Issuer, ...] = ()
    attempts: int = 5
    """Failures of an account from one address within `attempts_window`; ten times as many of an
    account, or of an address, in all."""
    attempts_window: float = 900.0
    forward: bool = True
    """Whether the upstream is told who asks: `x-ztna-user`, `x-ztna-roles`."""
    trusted: tuple[str, ...] = ()
    """Networks in which location is no risk."""

    def __post_init__(self) -> None:
        Networks(self.trusted)
        if not self.prefix.startswith("/") or self.prefix.endswith("/"):
            raise ValueError("prefix must start with / and not end with it")
        if not 0 < self.session_idle <= self.session_absolute:
            raise ValueError("session_idle must be more than 0, session_absolute not less")
        if min(self.cache_seconds, self.reevaluate, self.attempts_window) <= 0:
            raise ValueError("cache_seconds, reevaluate and attempts_window must be more than 0")
        if not 0 <= self.step_risk <= self.max_risk <= 1:
            raise ValueError("step_risk and max_risk must be from 0 to 1, in this order")
        if set(self.weights) - set(WEIGHTS) or min(self.weights.values(), default=0) < 0:
            raise ValueError(f"weights must be of {', '.join(WEIGHTS)}, and not negative")
        if sum(self.weights.values()) <= 0 or self.attempts < 1 or self.sessions < 1:
            raise ValueError("some weight, attempts and sessions must be more than 0")
        for policy in self.policies:
            if policy.level not in (1, 2) or policy.fresh < 0:
                raise ValueError("level of a policy must be 1 or 2, fresh not negative")
            if not policy.paths or not all(path.startswith("/") for path in policy.paths):
                raise ValueError("paths of a policy must start with /")
        if self.rp_id and not self.origins:
            raise ValueError("origins must name where passkeys are used")
