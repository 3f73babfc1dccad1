"""The endpoints: sign in, prove a factor, sign out, enrol, and see how one stands."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from plugbay.sdk import HostUnavailable, Response

from ._passwords import PasswordsBusy
from ._proofs import Proofs
from ._records import Session, tag
from ._sessions import SessionChanged
from ._web import Refused, answer, body_of, check_origin, cookie_of, text_of, token_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk import Host, Request

    from ._config import Config
    from ._passkeys import Passkeys
    from ._passwords import Passwords
    from ._records import User
    from ._risk import Suspicions
    from ._sessions import Held, Sessions
    from ._throttle import Throttle

CREATED: Final = "ztna.session.created"
DENIED: Final = "ztna.access.denied"
PATIENCE: Final = 4.0
"""Seconds for an endpoint, less than `request_ms` of the manifest: a sign-in that is late for the
gateway counts as a failure of the plugin, and enough of these close every path."""
_ENROL: Final = 300.0
"""Seconds since the last proof within which a factor may be enrolled or removed."""


class Desk:
    """Answers what is below the prefix. What it refuses it does not explain."""

    def __init__(
        self,
        host: Host,
        config: Config,
        *,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        passkeys: Passkeys,
        suspicions: Suspicions,
    ) -> None:
        self._host, self._config, self._sessions = host, config, sessions
        self._passwords, self._throttle, self._suspicions = passwords, throttle, suspicions
        self._proofs = Proofs(host, config, sessions, passwords, passkeys)
        self._routes: dict[tuple[str, str], Callable[[Request, str], Awaitable[Response]]] = {
            ("POST", "login"): self._login,
            ("POST", "verify"): self._verify,
            ("POST", "logout"): self._logout,
            ("GET", "device"): self._devices,
            ("POST", "device"): self._enrol,
            ("GET", "status"): self._status,
        }

    async def serve(self, request: Request, address: str) -> Response:
        """Answer a request whose path is below the prefix."""
        name = request.path.removeprefix(self._config.prefix).strip("/")
        route = self._routes.get((request.method, name))
        if route is None:
            known = any(there == name for _, there in self._routes)
            return Response.problem(
                405 if known else 404, "Method Not Allowed" if known else "Not Found"
            )
        try:
            check_origin(request, self._config)
            async with asyncio.timeout(PATIENCE):
                return await route(request, address)
        except Refused as refused:
            return refused.response
        except SessionChanged:
            return Response.problem(409, "Conflict", detail="the session has just changed")
        except (PasswordsBusy, TimeoutError):
            return Response.problem(503, "Service Unavailable", retry_after=1)
        except HostUnavailable:
            return Response.problem(503, "Service Unavailable", retry_after=5)

    # --- signing in and out

    async def _login(self, request: Request, address: str) -> Response:
        body = await body_of(request)
        name, password = text_of(body, "username"), text_of(body, "password", 4096)
        account = tag(name)
        await self._charge(account, address)
        user = await self._sessions.user(name)
        usable = user.password if user is not None and not user.disabled else ""
        right = await self._passwords.verify(usable, password)
        if user is None or not right:
            self._failed(name if user else "", address, "credentials")
        await self._throttle.clear(account, address)
        now = self._host.clock.time()
        history = await self._sessions.history(name)
        session = Session(
            user=name,
            roles=user.roles,
            epoch=user.epoch,
            began=now,
            proved=now,
            address=address,
            methods=["password"],
            pending=bool(user.second),
            strange=history.strange(address, _hour(now)),
        )
        return await self._seat(session, user, body)

    async def _seat(self, session: Session, user: User, body: dict[str, Any]) -> Response:
        """Begin a session and hand its token out."""
        token = await self._sessions.begin(session)
        now = self._host.clock.time()
        if not session.pending:
            history = await self._sessions.history(user.name)
            history.add(session.address, _hour(now))
            await self._sessions.note(user.name, history)
            self._host.events.publish(
                CREATED, user=user.name, identity=session.address, level=session.level
            )
        self._host.log.info(
            "session",
            extra={
                "event": "session.pending" if session.pending else "session.created",
                "user": user.name,
                "address": session.address,
                "methods": session.methods,
            },
        )
        content: dict[str, Any] = {
            "status": "mfa_required" if session.pending else "success",
            "level": session.level,
            "methods": list(user.second) if session.pending else [],
            "valid_until": session.began + self._config.session_absolute,
        }
        if body.get("deliver") == "body":
            return answer({**content, "session": token})
        response = answer(content)
        response.headers.set("set-cookie", cookie_of(self._config, token))
        return response

    async def _verify(self, request: Request, address: str) -> Response:
        body, held = await body_of(request), await self._held(request)
        kind = text_of(body, "type")
        account = f"{tag(held.session.user)}:verify"
        if not self._proofs.is_question(kind, body):
            await self._charge(account, address)
        asked = await self._proofs.ask(kind, body, held)
        if asked is not None:
            return answer({"status": "challenge", **asked})
        # One use: it is gone before it is looked at.
        if held.session.challenge:
            bare = replace(held.session, challenge="", purpose="")
            await self._sessions.update(held, bare)
        proved = await self._proofs.check(kind, body, held)
        if proved is None:
            self._failed(held.session.user, address, kind)
        await self._throttle.clear(account, address)
        await self._sessions.end(held.digest, "renewed")
        return await self._seat(proved, held.user, body)

    async def _logout(self, request: Request, address: str) -> Response:
        held = await self._held(request)
        await self._sessions.end(held.digest, "logout")
        self._host.log.info(
            "session",
            extra={"event": "session.ended", "user": held.session.user, "address": address},
        )
        response = answer({"status": "success"})
        response.headers.set("set-cookie", cookie_of(self._config, ""))
        return response

    # --- factors and devices

    async def _devices(self, request: Request, address: str) -> Response:
        held = await self._held(request)
        self._whole(held)
        return answer(self._proofs.listed(held.user))

    async def _enrol(self, request: Request, address: str) -> Response:
        body, held = await body_of(request), await self._held(request)
        self._whole(held)
        if self._host.clock.time() - held.session.proved > _ENROL:
            raise step_up(self._config, "fresh")
        kind = text_of(body, "type")
        if "remove" in body:
            await self._proofs.remove(kind, text_of(body, "remove"), held.user.name)
            return answer({"status": "success"})
        asked = await self._proofs.offer(kind, body, held)
        if asked is not None:
            return answer({"status": "challenge", **asked})
        bare = replace(held.session, challenge="", purpose="", offered="")
        await self._sessions.update(held, bare)
        proved = await self._proofs.enrol(kind, body, held)
        if proved is None:
            self._failed(held.session.user, address, f"enrol-{kind}")
        await self._sessions.end(held.digest, "renewed")
        return await self._seat(proved, held.user, body)

    # --- how one stands

    async def _status(self, request: Request, address: str) -> Response:
        token = token_of(request, self._config.cookie)
        held = await self._sessions.find(token)
        if held is None:
            return answer({"authenticated": False})
        session, now = held.session, self._host.clock.time()
        return answer(
            {
                "authenticated": not session.pending,
                "user": session.user,
                "roles": session.roles,
                "level": session.level,
                "methods": session.methods,
                "second_factor_needed": session.pending,
                "device": session.device,
                "expires_in": round(session.began + self._config.session_absolute - now),
            }
        )

    # --- refusals

    async def _held(self, request: Request) -> Held:
        held = await self._sessions.find(token_of(request, self._config.cookie))
        if held is None:
            raise Refused(401, "Unauthorized")
        return held

    def _whole(self, held: Held) -> None:
        if held.session.pending:
            raise step_up(self._config, "second-factor")

    async def _charge(self, account: str, address: str) -> None:
        wait = await self._throttle.take(account, address)
        if wait:
            raise Refused(429, "Too Many Requests", retry_after=wait)

    def _failed(self, user: str, address: str, why: str) -> NoReturn:
        """Count and tell a failure. Raises `Refused`."""
        now = self._host.now()
        self._suspicions.refused(address, now)
        self._host.log.warning(
            "sign-in failed",
            extra={"event": "sign-in.failed", "user": user, "address": address, "why": why},
        )
        self._host.events.publish(
            DENIED, identity=address, reason=why, user=user, mode=self._config.mode
        )
        raise Refused(401, "Unauthorized")


def step_up(config: Config, why: str) -> Refused:
    """Return what asks for another proof (RFC 9470)."""
    refused = Refused(
        401,
        "Unauthorized",
        detail="another proof is needed",
        verify=f"{config.prefix}/verify",
        need=why,
    )
    refused.response.headers.set(
        "www-authenticate", 'Bearer error="insufficient_user_authentication"'
    )
    return refused


def _hour(now: float) -> int:
    return int(now // 3600) % 24
