"""Holds scanners, and whoever other plugins point at, by answering very slowly."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    Drip,
    EventHandler,
    OperationRefused,
    Plugin,
    RequestFilter,
    Stateful,
)
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    VERDICT,
    Guard,
    Identities,
    Networks,
    Timed,
    Verdict,
    asked_identity,
)

from ._config import Config as Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request, Response

HONEYPOT = "honeypot.accessed"
_MEASURE = 5.0
_LIST = 1000
_AGENTS, _LONGEST = 4096, 512


class Tarpit(Plugin[Config], RequestFilter, EventHandler, Stateful, AdminOperations):
    """Holds a client for a path nobody asks for, a scanner's name, or a verdict of others."""

    topics = (VERDICT, LIFT)
    operations = (
        AdminOperation("status", "How many connections are held, and how many clients known."),
        AdminOperation("connections", "Who is held now; at most 1000."),
        AdminOperation("check", "Whether `identity` (or `ip`) would be held, and why."),
        AdminOperation("trap", "Hold `identity` for `seconds`.", changes=True),
        AdminOperation("release", "Let all held connections go.", changes=True),
        AdminOperation("lift", "Hold `identity` no more, and let it go.", changes=True),
    )

    async def start(self) -> None:
        config, host = self.config, self.host
        self._allow = Networks(config.allow)
        self._identities = Identities()
        self._guard = Guard(host, config.mode)
        self._exact = frozenset(path for path in config.honeypots if not path.endswith("/"))
        self._below = tuple(path for path in config.honeypots if path.endswith("/"))
        names = "|".join(map(re.escape, config.scanners))
        self._scanner = re.compile(names) if names else None
        self._harmless: set[str] = set()
        """Agents that name no scanner: there are few, and each comes often."""
        self._known: Timed[str] = Timed(config.clients)
        self._held: dict[Drip, str] = {}
        self._total = host.metrics.counter("held_total", "Connections that were held.")
        self._refused = host.metrics.counter(
            "refused_total", "Connections that were not held, because there were too many."
        )
        self._now = host.metrics.gauge("held", "Connections that are held now.")
        host.spawn(self._measure(), name="measure")

    async def stop(self) -> None:
        """Let all go: nothing of this generation may stay."""
        self._release()

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Hold who is known, or gives itself away now."""
        client = request.client
        if client in self._allow:
            return None
        reason = self._gives_away(request)
        who = self._identities.of(request)
        if reason:
            self._caught(request, who.address, reason)
        elif not self._known or not (reason := self._remembered(who.names)):
            return None
        return self._hold(who.address, reason, client)

    def _gives_away(self, request: Request) -> str:
        path = request.path.lower()
        if "%" in path:
            path = unquote(path)
        if path in self._exact or (self._below and path.startswith(self._below)):
            return "honeypot"
        if self._scanner is not None:
            agent = request.headers.get("user-agent")
            if agent and agent not in self._harmless and self._is_scanner(agent):
                return "scanner"
        return ""

    def _is_scanner(self, agent: str) -> bool:
        if self._scanner is not None and self._scanner.search(agent.lower()):
            return True
        if len(self._harmless) >= _AGENTS:
            self._harmless.clear()
        if len(agent) <= _LONGEST:
            self._harmless.add(agent)
        return False

    def _remembered(self, names: tuple[str, ...]) -> str:
        now = self.host.now()
        return next((found for name in names if (found := self._known.get(name, now))), "")

    def _caught(self, request: Request, address: str, reason: str) -> None:
        """Remember who gave itself away; tell it here, and to the other workers."""
        known = self._known.get(address, self.host.now())
        if self.config.remember:
            self._remember(address, reason, self.config.remember)
        verdict = Verdict(
            action="tarpit", identity=address, reason=reason, seconds=self.config.remember
        )
        if reason == "honeypot":
            self._guard.tell(HONEYPOT, verdict, client=request.client)
        if self._guard.enforces and self.config.remember and not known:
            self.host.events.publish(VERDICT, **verdict.data())

    def _hold(self, address: str, reason: str, client: str) -> Response | None:
        verdict = Verdict(action="tarpit", identity=address, reason=reason)
        self._guard.drip = lambda: self._drip(address)
        return self._guard.judge(verdict, topic=THREAT, client=client)

    def _drip(self, address: str) -> Drip:
        config = self.config
        drip = Drip(
            interval=config.interval,
            seconds=config.seconds,
            most=config.most,
            per_client=config.per_client,
            ended=self._ended,
        )
        self._held[drip] = address
        self._total.inc()
        return drip

    def _ended(self, drip: Drip) -> None:
        self._held.pop(drip, None)
        if not drip.taken:
            self._refused.inc()

    def _remember(self, identity: str, reason: str, seconds: float) -> None:
        now = self.host.now()
        self._known.put(identity, reason, now + seconds, now)

    def _release(self, identity: str = "") -> int:
        found = [d for d, whose in tuple(self._held.items()) if identity in ("", whose)]
        for drip in found:
            drip.release()
        return len(found)

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Hold, or let go, whom other plugins and workers name."""
        if event.topic == LIFT:
            self._forget(str(event.data.get("identity", "")))
            return
        verdict = Verdict.of(event.data)
        if verdict is None or verdict.action != "tarpit" or not self._guard.enforces:
            return
        if verdict.seconds > 0 and verdict.identity.partition("/")[0] not in self._allow:
            self._remember(verdict.identity, verdict.reason or "verdict", verdict.seconds)

    def _forget(self, identity: str) -> bool:
        self._guard.forget(identity)
        found = self._known.pop(identity) is not None
        return bool(self._release(identity) if identity else 0) or found

    # --- administrators

    def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                config = self.config
                return {
                    "mode": config.mode,
                    "held": len(self._held),
                    "known": len(self._known),
                    "most": config.most,
                }
            case "connections":
                return {"items": list(self._held.values())[:_LIST], "total": len(self._held)}
            case "release":
                return {"released": self._release()}
            case "check":
                identity = asked_identity(arguments)
                reason = self._remembered((identity,))
                return {"identity": identity, "held": bool(reason), "reason": reason}
            case "trap":
                return self._trap(arguments)
            case _:
                identity = asked_identity(arguments)
                found = self._forget(identity)
                self._guard.lift(identity)
                return {"identity": identity, "held": found}

    def _trap(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        data = {"reason": "administrator", **arguments, "action": "tarpit"}
        verdict = Verdict.of({**data, "identity": asked_identity(arguments)})
        if verdict is None or verdict.seconds <= 0:
            raise OperationRefused("seconds must be more than 0 and at most 366 days")
        self._remember(verdict.identity, verdict.reason, verdict.seconds)
        return {"identity": verdict.identity, "seconds": verdict.seconds}

    # --- state

    def snapshot(self) -> bytes:
        """Return who is known, with the seconds that are left."""
        now = self.host.now()
        return json.dumps([(k, until - now, v) for k, until, v in self._known.items(now)]).encode()

    def restore(self, state: bytes) -> None:
        """Take over who is known."""
        for identity, seconds, reason in json.loads(state):
            self._remember(str(identity), str(reason), float(seconds))

    async def _measure(self) -> None:
        while True:
            self._now.set(len(self._held))
            await asyncio.sleep(_MEASURE)
