"""Limits requests of each client, exactly over all workers of a node, and keeps bans."""

from __future__ import annotations

import asyncio
import json
from math import ceil
from typing import TYPE_CHECKING, Any

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    EventHandler,
    OperationRefused,
    Plugin,
    RequestFilter,
    ResponseFilter,
    Stateful,
)
from plugbay.sdk.protection import (
    LIFT,
    VERDICT,
    VIOLATION,
    Guard,
    Identities,
    Networks,
    Timed,
    Verdict,
    asked_identity,
)

from ._bans import Bans
from ._config import Config as Config
from ._gcra import EACH, SIZE, Buckets, Rate, Taken
from ._salt import shared_salt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Request, Response

_LEFT = "antiabuse.left"
_MAKE_ROOM = 5.0
_LIST = 1000


class AntiAbuse(
    Plugin[Config], RequestFilter, ResponseFilter, EventHandler, Stateful, AdminOperations
):
    """A limit by address and one by key or session, bans, and what is left in header fields."""

    topics = (VERDICT, LIFT)
    operations = (
        AdminOperation("status", "How many clients are banned or allowed, and the limits."),
        AdminOperation("check", "What is held against `identity` (or `ip`)."),
        AdminOperation("bans", "Who is banned, until when and why; at most 1000."),
        AdminOperation("ban", "Ban `identity` for `seconds`, with a `reason`.", changes=True),
        AdminOperation("allow", "Let `identity` pass for `seconds`.", changes=True),
        AdminOperation("lift", "Forget what is held against `identity`.", changes=True),
    )

    async def start(self) -> None:
        config, host = self.config, self.host
        self._allow = Networks(config.allow)
        self._identities = Identities(config.key_header, config.session_cookie)
        self._guard = Guard(host, config.mode)
        self._rate = Rate.of(config.limit, config.window, config.burst)
        self._key_rate = Rate.of(config.key_limit or config.limit, config.window, config.burst)
        salt = await asyncio.to_thread(shared_salt, host.data_dir)
        # Named by nothing of the configuration: another limit goes on with the same memory.
        memory = host.shared("gcra", config.clients * SIZE, each=config.clients * EACH)
        self._buckets = Buckets(memory, salt)
        self._bans = Bans(host, config.bans)
        self._refusals: Timed[int] = Timed(65_536)
        self._policy = f'"default";q={config.limit};w={max(1, round(config.window))}'
        self._banned = host.metrics.gauge("banned", "Identities that are banned now.")
        self._shared = host.metrics.counter(
            "shared_slots_total", "Times that a stranger took over the count of another client."
        )
        host.spawn(self._bans.keep(), name="keep bans")
        host.spawn(self._measure(), name="measure")

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Refuse who is banned or asks too often."""
        who = self._identities.of(request)
        if who.client in self._allow:
            return None
        bans = self._bans
        if bans.banned or bans.allowed:
            standing, answer = self._standing(who.names)
            if standing:
                return answer
        address = who.address
        taken = self._buckets.take(address, self._rate, self._now())
        request.state[_LEFT] = taken
        if not taken.allowed:
            return self._refuse(address, taken, who.client)
        for name in (who.session, who.key):
            if name:
                taken = self._buckets.take(name, self._key_rate, self._now())
                if not taken.allowed:
                    request.state[_LEFT] = taken
                    return self._refuse(name, taken, who.client)
        return None

    def on_response(self, request: Request, response: Response) -> None:
        """Tell what is left (draft-ietf-httpapi-ratelimit-headers-11)."""
        taken: Taken | None = request.state.get(_LEFT)
        if taken is None or not self.config.headers:
            return
        response.headers.set("ratelimit-policy", self._policy)
        response.headers.set("ratelimit", f'"default";r={taken.remaining};t={ceil(taken.reset)}')

    def _now(self) -> int:
        return int(self.host.clock.monotonic() * 1e9)

    def _standing(self, names: tuple[str, ...]) -> tuple[bool, Response | None]:
        """Return whether somebody is allowed or banned, and the answer to who is banned."""
        now = self.host.clock.time()
        for name in names:
            if self._bans.allowed.get(name, now) is not None:
                return True, None
        for name in names:
            reason = self._bans.banned.get(name, now)
            if reason is not None:
                left = self._bans.banned.until(name) - now
                verdict = Verdict(action="block", identity=name, reason="banned", seconds=left)
                return True, self._guard.judge(verdict, topic=VIOLATION)
        return False, None

    def _refuse(self, name: str, taken: Taken, client: str) -> Response | None:
        seconds = self._escalated(name)
        verdict = Verdict(
            action="ban" if seconds else "block",
            identity=name,
            reason="rate",
            detail=f"more than {self.config.limit} requests in {self.config.window:g} s",
            seconds=seconds or taken.wait,
            status=429,
            retry_after=seconds or taken.wait,
        )
        if seconds and self._guard.enforces:
            self._ban(name, seconds, "rate")
        return self._guard.judge(verdict, topic=VIOLATION, client=client)

    def _escalated(self, name: str) -> float:
        """Return for how long to ban after one more refusal; 0 for not yet."""
        config = self.config
        if not config.ban_after:
            return 0.0
        now = self.host.now()
        count = (self._refusals.get(name, now) or 0) + 1
        until = self._refusals.until(name) if count > 1 else now + config.ban_window
        self._refusals.put(name, count, until, now)
        if count < config.ban_after:
            return 0.0
        self._refusals.pop(name)
        wall = self.host.clock.time()
        times = self._bans.times.get(name, wall) or 0
        self._bans.times.put(name, times + 1, wall + 2 * config.ban_most, wall)
        return min(config.ban_most, config.ban_seconds * 2.0 ** min(times, 40))

    def _ban(self, name: str, seconds: float, reason: str) -> None:
        if not self._exempt(name):
            self._bans.ban(name, seconds, reason)

    def _exempt(self, name: str) -> bool:
        """Whether a verdict of others is about somebody on the allow-list."""
        return name.partition("/")[0] in self._allow

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Ban, allow or forget as other plugins, and other workers, say."""
        if event.topic == LIFT:
            self._forget(str(event.data.get("identity", "")))
            return
        verdict = Verdict.of(event.data)
        if verdict is None or not self._guard.enforces:
            return
        if verdict.action == "ban":
            self._ban(verdict.identity, verdict.seconds, verdict.reason)
        elif verdict.action == "allow":
            self._bans.allow(verdict.identity, verdict.seconds, verdict.reason)

    def _forget(self, identity: str) -> None:
        self._bans.lift(identity)
        self._refusals.pop(identity)
        for rate in (self._rate, self._key_rate):
            self._buckets.forgive(identity, rate, self._now())
        self._guard.forget(identity)

    # --- administrators

    def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                return self._status()
            case "bans":
                return self._listed()
            case "check":
                return self._check(asked_identity(arguments))
            case "lift":
                identity = asked_identity(arguments)
                found = self._check(identity)
                self._forget(identity)
                self._guard.lift(identity)
                return {"identity": identity, "banned": found["banned"]}
            case _:
                return self._order(name, arguments)

    def _listed(self) -> dict[str, Any]:
        found = self._bans.banned.items(self.host.clock.time())
        items = [{"identity": i, "until": u, "reason": r} for i, u, r in found]
        return {"items": items[:_LIST], "total": len(items)}

    def _status(self) -> dict[str, Any]:
        config = self.config
        return {
            "mode": config.mode,
            "limit": config.limit,
            "window": config.window,
            "banned": len(self._bans.banned),
            "allowed": len(self._bans.allowed),
            "clients": config.clients,
        }

    def _check(self, identity: str) -> dict[str, Any]:
        now = self.host.clock.time()
        reason = self._bans.banned.get(identity, now)
        return {
            "identity": identity,
            "banned": reason is not None,
            "reason": reason or "",
            "until": self._bans.banned.until(identity),
            "allow_listed": self._exempt(identity),
            "ahead": round(self._buckets.level(identity, self._rate, self._now()), 3),
        }

    def _order(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        reason = str(arguments.get("reason", "administrator"))
        data = {
            **arguments,
            "action": name,
            "identity": asked_identity(arguments),
            "reason": reason,
        }
        verdict = Verdict.of(data)
        if verdict is None or verdict.seconds <= 0:
            raise OperationRefused("seconds must be more than 0 and at most 366 days")
        if name == "allow":
            self._bans.allow(verdict.identity, verdict.seconds, verdict.reason)
        elif self._exempt(verdict.identity):
            raise OperationRefused(f"{verdict.identity} is on the allow-list")
        else:
            self._bans.ban(verdict.identity, verdict.seconds, verdict.reason)
        return {"identity": verdict.identity, "seconds": verdict.seconds}

    # --- state

    def snapshot(self) -> bytes:
        """Return the bans; the counts are in shared memory."""
        return json.dumps(self._bans.snapshot()).encode()

    def restore(self, state: bytes) -> None:
        """Take over the bans."""
        self._bans.restore(json.loads(state))

    async def _measure(self) -> None:
        told = 0
        while True:
            self._banned.set(len(self._bans.banned))
            self._shared.inc(self._buckets.shared - told)
            told = self._buckets.shared
            await asyncio.sleep(_MAKE_ROOM)
