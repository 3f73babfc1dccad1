"""Signs users in, weighs the risk of each request, and decides by policies who may do what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import (
    AdminOperations,
    EventHandler,
    HostUnavailable,
    Plugin,
    RequestFilter,
    Response,
)
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    VIOLATION,
    Guard,
    Identities,
    Networks,
    Timed,
    Verdict,
)

from ._bearer import Bearer, TokenRefused, principal_of
from ._config import Config as Config
from ._config import Issuer as Issuer
from ._config import Policy as Policy
from ._desk import DENIED, Desk, step_up
from ._journal import Journal
from ._office import OPERATIONS, Office
from ._passkeys import Passkeys
from ._passwords import Passwords
from ._policy import Decision, Policies, Principal, decide
from ._risk import Risk, Suspicions, assess
from ._sessions import CHANGED, ENDED, RENEWED, Sessions
from ._throttle import Throttle
from ._web import Refused, strip, token_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request
    from plugbay.sdk.protection import Identity

    from ._sessions import Held

ASSESSED: Final = "ztna.risk.score.updated"
"""A risk was weighed: for the first time, again after a while, or because something was heard."""
_MOST: Final = 16_384


class ZeroTrust(Plugin[Config], RequestFilter, EventHandler, AdminOperations):
    """Lets nobody pass who has not shown who he is, unless a policy says so."""

    topics = (
        LIFT,
        THREAT,
        VIOLATION,
        "ratelimit.geo.anomaly",
        "ml.*",
        ENDED,
        RENEWED,
        CHANGED,
    )
    operations = OPERATIONS

    async def start(self) -> None:
        config, host = self.config, self.host
        self._guard = Guard(host, config.mode)
        self._identities = Identities("", config.cookie)
        self._trusted = Networks(config.trusted)
        self._policies = Policies(config.policies)
        self._suspicions = Suspicions()
        self._bearer = Bearer(config.issuers, host.clock)
        self._sessions = Sessions(
            host,
            idle=config.session_idle,
            absolute=config.session_absolute,
            most=config.sessions,
            cache=config.cache_seconds,
        )
        self._throttle = Throttle(host, config.attempts, config.attempts_window)
        self._passwords = Passwords()
        # The library takes its time to be imported.
        passkeys = await asyncio.to_thread(Passkeys, config.rp_id, config.rp_name, config.origins)
        self._desk = Desk(
            host,
            config,
            sessions=self._sessions,
            passwords=self._passwords,
            throttle=self._throttle,
            passkeys=passkeys,
            suspicions=self._suspicions,
        )
        self._office = Office(host, self._sessions, self._passwords, self._guard)
        self._risks: Timed[Risk] = Timed(_MOST)
        self._journal = Journal(host, config)

    # --- requests

    async def on_request(self, request: Request) -> Response | None:
        """Serve the endpoints; else decide who may pass."""
        who, config, path = self._identities.of(request), self.config, request.path
        if path == config.prefix or path.startswith(config.prefix + "/"):
            return await self._desk.serve(request, who.address)
        policy, token = self._policies.of(request.method, path), token_of(request, config.cookie)
        if policy is not None and policy.public and not token:
            strip(request, config.cookie, False)
            self._journal.counted("allow", "public")
            return None
        try:
            principal = await self._principal(token, who)
        except HostUnavailable:
            away = Response.problem(503, "Service Unavailable", retry_after=5)
            return away if self._guard.enforces else None
        if policy is None:
            decision, risk = Decision("deny", "default", "path"), None
        else:
            risk = self._risk(principal, who) if principal else None
            score = risk.score if risk else 0.0
            now = self.host.clock.time()
            bounds = {"most": config.max_risk, "step": config.step_risk}
            decision = decide(policy, principal, score, now, **bounds)
        strip(request, config.cookie, principal is not None and bool(principal.session))
        self._journal.decided(request, decision, principal, who, risk)
        if decision.outcome != "allow":
            return self._refuse(decision, principal, who)
        if principal is not None:
            request.state["identity"] = principal.user  # for the plugins behind this one
        if principal is not None and config.forward:
            request.headers.set("x-ztna-user", _printable(principal.user))
            request.headers.set("x-ztna-roles", _printable(",".join(principal.roles)))
        return None

    async def _principal(self, token: str, who: Identity) -> Principal | None:
        if not token:
            return None
        held = self._sessions.known(token) or await self._sessions.find(token)
        if held is not None:
            return self._signed_in(held, who)
        if not self.config.issuers or token.count(".") != 2:
            return None
        try:
            issuer, claims = await self._bearer.claims(token)
        except TokenRefused as refused:
            self._suspicions.refused(who.address, self.host.now())
            self.host.log.info("a token was refused: %s", refused)
            return None
        return principal_of(claims, issuer.roles_claim)

    def _signed_in(self, held: Held, who: Identity) -> Principal:
        session = held.session
        return Principal(
            user=session.user,
            roles=tuple(held.user.roles),
            level=session.level,
            proved=session.proved,
            device=session.device if session.device in held.user.devices else "",
            address=session.address,
            strange=tuple(session.strange),
            trusted=who.client in self._trusted,
            session=held.digest,
        )

    def _risk(self, principal: Principal, who: Identity) -> Risk:
        now = self.host.now()
        key = f"{principal.session or principal.user} {who.address} {principal.level}"
        known = self._risks.get(key, now)
        if known is None:
            names = who.names
            known = assess(principal, names, self._suspicions, self.config.weights, now)
            self._risks.put(key, known, now + self.config.reevaluate, now)
            self.host.events.publish(
                ASSESSED,
                user=principal.user,
                identity=who.address,
                score=known.score,
                factors={factor.name: factor.value for factor in known.factors},
            )
        return known

    def _refuse(
        self, decision: Decision, principal: Principal | None, who: Identity
    ) -> Response | None:
        now = self.host.now()
        self._suspicions.refused(f"user:{principal.user}" if principal else who.address, now)
        verdict = Verdict(
            action="block",
            identity=who.address,
            reason=decision.reason,
            detail=f"policy {decision.policy}: {decision.outcome}",
            status=403 if decision.outcome == "deny" else 401,
        )
        answer = self._guard.judge(verdict, topic=DENIED, client=who.client)
        if answer is None or decision.outcome == "deny":
            return answer
        self._journal.asked(decision, principal, who)
        if decision.outcome == "step-up":
            return step_up(self.config, decision.reason).response
        login = f"{self.config.prefix}/login"
        refused = Refused(401, "Unauthorized", detail="sign in first", login=login).response
        refused.headers.set("www-authenticate", "Bearer")
        return refused

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Hear of sessions and users of other workers, and of suspicions."""
        data, identity = event.data, str(event.data.get("identity", ""))[:256]
        match event.topic:
            case "ztna.session.terminated" | "ztna.session.changed":
                self._sessions.forget(str(data.get("session", "")))
            case "ztna.user.changed":
                self._sessions.forget_user(str(data.get("user", "")))
            case "protection.lift":
                self._forget(identity)
                self.host.spawn(self._throttle.forget(identity), name="forget attempts")
            case topic if identity and event.source != self.host.plugin:
                reason = str(data.get("reason", ""))[:64] or topic
                self._suspicions.hear(topic, identity, reason, self.host.now())
                self._reassess(identity)
            case _:
                pass

    def _reassess(self, identity: str) -> None:
        """Weigh anew who asks from an address, or under a session, of which something is told."""
        if identity.startswith(("key:", "session:")):
            self._risks = Timed(_MOST)
            return
        for key, _, _ in self._risks.items(0.0):
            if f" {identity} " in key:
                self._risks.pop(key)

    def _forget(self, identity: str) -> None:
        self._suspicions.forget(identity)
        self._guard.forget(identity)
        self._reassess(identity)

    # --- administrators

    async def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        if name == "status":
            return {
                "mode": self.config.mode,
                "sessions": len(self._sessions),
                "policies": [policy.name for policy in self.config.policies],
                "issuers": [issuer.issuer for issuer in self.config.issuers],
            }
        if name == "check":
            return self._office.check(arguments, self._suspicions)
        if name == "lift":
            identity = self._office.identity(arguments)
            self._forget(identity)
            await self._throttle.forget(identity)
            self._guard.lift(identity)
            return {"identity": identity}
        return await self._office.carry_out(name, arguments)


def _printable(text: str) -> str:
    """Return it as a field's value may be."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
