"""Tells automated clients, and crowds of them, by how they behave; learns while it runs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    EventHandler,
    Observer,
    Plugin,
    RequestFilter,
    Stateful,
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
    asked_identity,
)

from ._config import Config as Config
from ._crowd import Crowd
from ._profile import Profile, Profiles
from ._scorer import DRIFTED as DRIFTED
from ._scorer import Scorer
from ._views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request, Response, Timing

ANOMALY: Final = "ml.traffic_anomaly"
"""A client behaves as software does: a fact, also in monitor mode."""
ATTACK: Final = "ml.coordinated_attack"
"""Many such clients at once; `identities` are all of them, or one that joins."""
HONEYPOT: Final = "honeypot.accessed"
_MOST = 100_000
_TICK = 1.0
_TOLD = 1000


class RateLimitMl(Plugin[Config], RequestFilter, Observer, EventHandler, Stateful, AdminOperations):
    """Profiles clients as requests end, scores them in the background, and blocks by verdicts."""

    topics = (LIFT, THREAT, VIOLATION, HONEYPOT, ANOMALY, ATTACK)
    operations = (
        AdminOperation("status", "The model, how much it has learned, and who is blocked."),
        AdminOperation("patterns", "What the model holds for typical, and who is suspect."),
        AdminOperation("check", "What is known of `identity` (or `ip`), and why."),
        AdminOperation("lift", "Leave `identity` in peace for a time.", changes=True),
    )

    async def start(self) -> None:
        config, host = self.config, self.host
        self._guard = Guard(host, config.mode)
        self._identities = Identities()
        self._allow = Networks(config.allow)
        self._profiles = Profiles(config.clients, config.idle, config.least)
        self._verdicts: Timed[str] = Timed(_MOST)
        self._lifted: Timed[bool] = Timed(_MOST)
        self._crowd = Crowd(config.crowd, config.crowd_surge, config.crowd_window)
        self._enforces = config.mode == "enforce"
        self.scorer = Scorer(host, config, self._scored)
        self._views = Views(host, self.scorer, self._profiles, self._verdicts, self._crowd)
        metrics = host.metrics
        self._refused = metrics.counter("refused_total", "Requests refused.", ("reason",))
        self._gauge = metrics.gauge("state", "Clients known, blocked, suspect, waiting.", ("of",))
        host.spawn(self.scorer.run(), name="score")
        host.spawn(self.scorer.keep(), name="keep the model")
        host.spawn(self._measure(), name="measure")

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Answer who is blocked."""
        who = self._identities.of(request)
        verdicts = self._verdicts
        if not verdicts or not self._enforces:
            return None
        now = self.host.now()
        reason = verdicts.get(who.address, now)
        if reason is None or who.client in self._allow:
            return None
        self._refused.inc(reason=reason)
        left = verdicts.until(who.address) - now
        return self._guard.answer(self._verdict(who.address, reason, left))

    def on_complete(self, request: Request, response: Response | None, timing: Timing) -> None:
        """Take a finished request into its client's profile."""
        who = self._identities.of(request)
        if who.client in self._allow:
            return
        now, headers = self.host.now(), request.headers
        address = who.address
        if self._enforces and self._verdicts and self._verdicts.get(address, now) is not None:
            return  # what it is answered now tells nothing of it
        profile = self._profiles.get(address)
        if profile is None or now - profile.last > self.config.idle:
            profile = self._profiles.of(address, headers.get("user-agent", ""), now)
        failed = response is None or response.status >= 400
        if profile.update(now, request.path, "referer" in headers, failed):
            self.scorer.put(address, profile)

    # --- verdicts

    def _verdict(self, identity: str, reason: str, seconds: float, score: float = 1.0) -> Verdict:
        return Verdict(
            action=self.config.action,
            identity=identity,
            reason=reason,
            detail=f"score {score:.3f}",
            seconds=seconds,
            status=429,
            score=score,
        )

    def _scored(self, identity: str, profile: Profile, score: float) -> None:
        config = self.config
        if score < config.suspect_from or self._is_lifted(identity):
            return
        if score >= config.block_from and score >= self.scorer.usual.limit:
            verdict = self._verdict(identity, "behaviour", config.block_seconds, score)
            self._guard.judge(verdict, topic=ANOMALY)
            self._block(identity, "behaviour", config.block_seconds)
        else:
            suspect = Verdict(action="allow", identity=identity, reason="suspect", score=score)
            self._guard.judge(suspect, topic=ANOMALY)
        self._suspect(identity)

    def _suspect(self, identity: str) -> None:
        """Count a suspect, of this worker or of another; a crowd of them is blocked."""
        together = self._crowd.add(identity, self.host.now())
        if not together:
            return
        seconds = self.config.crowd_seconds
        for one in together:
            if not self._is_lifted(one):
                verdict = self._verdict(one, "coordinated", seconds)
                self._guard.judge(verdict, topic="ml.coordinated_member")
                self._block(one, "coordinated", seconds)
        told = list(together[:_TOLD])
        self.host.events.publish(
            ATTACK, identities=told, count=len(together), mode=self.config.mode, seconds=seconds
        )

    def _block(self, identity: str, reason: str, seconds: float) -> None:
        now = self.host.now()
        if identity.partition("/")[0] in self._allow:
            return
        self._verdicts.put(
            identity, reason, max(now + seconds, self._verdicts.until(identity)), now
        )

    def _is_lifted(self, identity: str) -> bool:
        return self._lifted.get(identity, self.host.now()) is not None

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Learn of what other plugins, and this one in other workers, have seen."""
        data = event.data
        identity = str(data.get("identity", ""))[:256]
        if event.topic == LIFT:
            self._lift(identity)
        elif event.topic == ATTACK:
            self._attacked(data)
        elif event.topic == ANOMALY:
            self._told(identity, data)
        elif (profile := self._profiles.get(identity)) is not None and data.get(
            "action"
        ) != "allow":
            profile.flagged = True

    def _attacked(self, data: Mapping[str, Any]) -> None:
        found: Any = data.get("identities")
        if not isinstance(found, (list, tuple)):
            return
        for one in [str(one)[:256] for one in found[:_TOLD]]:  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of an event
            if not self._is_lifted(one):
                self._block(one, "coordinated", self.config.crowd_seconds)

    def _told(self, identity: str, data: Mapping[str, Any]) -> None:
        if not identity or self._is_lifted(identity):
            return
        verdict = Verdict.of(data)
        if verdict is not None and verdict.action != "allow":
            seconds = min(verdict.seconds, self.config.block_seconds)
            self._block(identity, "behaviour", seconds)
        self._suspect(identity)

    def _lift(self, identity: str) -> bool:
        now = self.host.now()
        self._lifted.put(identity, True, now + self.config.lift_seconds, now)
        profile = self._profiles.get(identity)
        if profile is not None:
            self.scorer.correct(profile)
        self._profiles.forget(identity)
        self._crowd.forget(identity)
        self._guard.forget(identity)
        return self._verdicts.pop(identity) is not None

    # --- administrators

    def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                return self._views.status(self.config.mode)
            case "patterns":
                return self._views.patterns()
            case "check":
                identity = asked_identity(arguments)
                return self._views.check(identity, lifted=self._is_lifted(identity))
            case _:
                identity = asked_identity(arguments)
                blocked = self._lift(identity)
                self._guard.lift(identity)
                return {"identity": identity, "blocked": blocked}

    # --- state

    def snapshot(self) -> bytes:
        """Return the model, and the verdicts with the seconds that are left of them."""
        now = self.host.now()
        state = {
            "model": self.scorer.dump(),
            "verdicts": [[one, until - now, why] for one, until, why in self._verdicts.items(now)],
            "lifted": [[one, until - now] for one, until, _ in self._lifted.items(now)],
            "usual": self._crowd.usual,
        }
        return json.dumps(state).encode()

    def restore(self, state: bytes) -> None:
        """Take over model and verdicts; profiles begin anew."""
        told, now = json.loads(state), self.host.now()
        if told["model"] is not None:
            self.scorer.give(told["model"])
        for one, left, why in told["verdicts"]:
            self._verdicts.put(str(one), str(why), now + float(left), now)
        for one, left in told["lifted"]:
            self._lifted.put(str(one), True, now + float(left), now)
        self._crowd.usual = float(told["usual"])

    async def _measure(self) -> None:
        while True:
            now = self.host.now()
            self._crowd.tick(now)
            for name, value in (
                ("clients", len(self._profiles)),
                ("blocked", len(self._verdicts)),
                ("suspects", len(self._crowd)),
                ("waiting", len(self.scorer)),
            ):
                self._gauge.set(value, of=name)
            await asyncio.sleep(_TICK)
