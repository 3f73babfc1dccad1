"""Putting together what says who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.admin.access import (
    COOKIE,
    SECURE_COOKIE,
    AccessTokens,
    Credentials,
    Grants,
    JwtLimits,
    Oidc,
    Outbound,
    Provider,
    RotationRule,
    Seal,
    SecondFactors,
    SessionLimits,
    Sessions,
    SigningKeys,
    SignIns,
    SignInThrottle,
    ThrottleRule,
    Tokens,
    TraceKeys,
    Users,
)

if TYPE_CHECKING:
    from plugbay.admin._options import AdminOptions
    from plugbay.admin._services import Services

KEYS = "secrets/admin"
"""Below the data directory. Plugins get their secrets by names that cannot lead into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Who may sign in, with what, and what they hold afterwards."""

    users: Users
    credentials: Credentials
    factors: SecondFactors
    sign_ins: SignIns
    trace_keys: TraceKeys
    oidc: Oidc | None = None


def authentication(services: Services, options: AdminOptions) -> Authentication:
    """Put it together. Raises `Unavailable` if the database is newer, `Invalid` for bad keys."""
    db, clock, folder = services.database, services.clock, services.audit.data / KEYS
    users = Users(db, clock, services.passwords)
    factors = SecondFactors(db, clock, Seal.load(folder / "seal.key"), f"Plugbay {options.node}")
    rule = ThrottleRule(
        free=options.sign_in_failures,
        delay=options.sign_in_delay,
        longest=options.sign_in_longest,
    )
    return Authentication(
        users=users,
        credentials=_credentials(services, options),
        factors=factors,
        sign_ins=SignIns(users, factors, SignInThrottle(clock, rule), clock),
        trace_keys=TraceKeys(db, clock, options.revoke_traces),
        oidc=_oidc(services, options, users),
    )


def _oidc(services: Services, options: AdminOptions, users: Users) -> Oidc | None:
    if options.oidc is None:
        return None
    provider = Provider(options.oidc.issuer, Outbound(), services.clock)
    return Oidc(options.oidc, provider, users, services.clock)


def _credentials(services: Services, options: AdminOptions) -> Credentials:
    db, clock, folder = services.database, services.clock, services.audit.data / KEYS
    grants = Grants(frozenset(options.second_factor))
    limits = SessionLimits(absolute=options.session, idle=options.session_idle)
    rotation = RotationRule(every=options.signing_key, keep=options.access_token)
    lasting = JwtLimits(
        access=options.access_token, refresh=options.refresh_token, family=options.refresh_family
    )
    keys = SigningKeys(folder / "jwt.json", clock, rotation)
    return Credentials(
        sessions=Sessions(db, clock, grants, limits),
        tokens=Tokens(db, clock, grants),
        access=AccessTokens(db, clock, grants, keys, lasting),
        cookie=SECURE_COOKIE if options.secure_cookies else COOKIE,
    )
