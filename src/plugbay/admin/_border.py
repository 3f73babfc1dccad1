"""The border: what every request passes before any route sees it, and every answer after.

It stands around the router and not inside it, so that a path that does not exist and a method
that is not allowed also ask for a sign-in first: whoever is not signed in learns nothing, not
even which paths there are.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import msgspec

from plugbay.admin._page_paths import is_page, send_to_sign_in
from plugbay.admin._problems import BASE, MEDIA_TYPE, headers_of, problem_of
from plugbay.admin._visit import Visit
from plugbay.admin.access import network
from plugbay.admin.audit import AuditRecord
from plugbay.kernel import (
    Forbidden,
    Malformed,
    PlugbayError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

    from plugbay.admin._access import Principal
    from plugbay.admin._context import Context
    from plugbay.admin._limits import RateLimit
    from plugbay.admin._public import PublicRoutes
    from plugbay.admin.access import Credentials
    from plugbay.admin.audit import AuditLog
    from plugbay.kernel import Clock

API_PREFIX = "/admin/api/v1/"
CSRF_HEADER = "x-csrf-token"
SIGN_IN = "POST /admin/api/v1/sessions"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What the border asks, and the context that it gives to what it lets in."""

    credentials: Credentials
    limit: RateLimit
    hosts: frozenset[str]
    audit: AuditLog
    clock: Clock
    public: PublicRoutes
    context: Context


class Border:
    """ASGI around the application: checks on the way in, headers and audit on the way out."""

    def __init__(self, app: ASGIApp, gates: Gates) -> None:
        self._app, self._gates = app, gates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        http_scope = cast("HTTPScope", scope)
        address = client_address(scope)
        visit = Visit(secrets.token_hex(8), address, f"address {network(address)}")
        scope["state"].update(visit=visit, context=self._gates.context)
        outward = self._outward(http_scope, visit, send)
        try:
            await self._admit(http_scope, visit)
        except Unauthenticated as error:
            if is_page(http_scope):
                await send_to_sign_in(http_scope, outward)
            else:
                await refuse(error, http_scope, visit, outward)
        except Exception as error:  # noqa: BLE001 - becomes a problem, as inside the router
            await refuse(error, http_scope, visit, outward)
        else:
            await self._app(scope, receive, outward)
        finally:
            if not visit.recorded:  # the client is gone, and what it asked for may be done
                with contextlib.suppress(PlugbayError):
                    await self._record(http_scope, visit)

    async def _admit(self, scope: HTTPScope, visit: Visit) -> None:
        headers = _headers(scope)
        _check_host(headers.get("host", ""), self._gates.hosts)
        visit.principal = principal = await self._gates.credentials.identify(headers)
        if principal is not None:
            visit.limited_as = f"user {principal.user}"
        self._limit(visit)
        public = self._gates.public.has(scope["method"], scope["path"])
        if principal is None and not public:
            raise Unauthenticated(
                f"show a bearer token, or sign in with {SIGN_IN} and send its cookie"
            )
        if scope["method"] not in SAFE:
            _check_origin(headers, None if public else principal, self._gates.hosts)
        scope["user"] = principal

    def _limit(self, visit: Visit) -> None:
        try:
            self._gates.limit.take(visit.limited_as)
        except TooManyRequests:
            # Of a flood of refusals the first is recorded, so that they cannot fill the disk.
            visit.recorded = not self._gates.limit.first_refusal(visit.limited_as)
            raise

    def _outward(self, scope: HTTPScope, visit: Visit, send: Send) -> Send:
        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                headers = list(message.get("headers", ()))
                visit.location = _find(headers, b"location")
                try:
                    await self._record(scope, visit)
                except PlugbayError as error:
                    visit.muted = True
                    await self._say_unrecorded(error, scope, visit, send)
                    return
                message["headers"] = [*headers, *self._extra(visit, headers)]
            if not visit.muted:
                await send(message)

        return outward

    async def _record(self, scope: HTTPScope, visit: Visit) -> None:
        """Append to the audit log, durably, before the answer leaves. Raises `Unavailable`."""
        refused = visit.status == HTTPStatus.FORBIDDEN
        acts = scope["method"] not in SAFE and not visit.reads
        wanted = acts or visit.audited or refused
        if visit.recorded or not wanted:
            return
        visit.recorded = True
        await self._gates.audit.append(_audit_record(scope, visit, self._gates.clock.time()))

    async def _say_unrecorded(
        self, error: PlugbayError, scope: HTTPScope, visit: Visit, send: Send
    ) -> None:
        """What cannot be recorded is not reported as done, though it may be."""
        unsaid = Unavailable(
            f"the audit log cannot be written, and this may have been done: {error}"
        )
        await send_problem(unsaid, scope, visit.id, send)

    def _extra(self, visit: Visit, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name for name, _ in headers}
        extra = [*_SECURITY, (b"x-request-id", visit.id.encode())]
        for name, value in visit.limits or self._gates.limit.headers(visit.limited_as):
            extra.append((name.encode(), value.encode()))
        return [(name, value) for name, value in extra if name not in present]


def _audit_record(scope: HTTPScope, visit: Visit, now: float) -> AuditRecord:
    principal = visit.principal
    return AuditRecord(
        time=now,
        act=visit.act,
        actor=visit.actor or (principal.user if principal else ""),
        kind=visit.kind or (principal.kind if principal else ""),
        credential=principal.credential if principal else "",
        address=visit.address,
        request_id=visit.id,
        method=scope["method"],
        path=scope["path"],
        target=visit.target or scope["path"].removeprefix(API_PREFIX),
        status=visit.status,
        before=visit.before,
        after=visit.after,
        operation=visit.operation,
        location=visit.location,
        detail=visit.detail,
    )


async def refuse(error: Exception, scope: HTTPScope, visit: Visit, send: Send) -> None:
    """Answer with `error`, and let the audit log say its code."""
    visit.detail = visit.detail or problem_of(error).type.removeprefix(BASE)
    await send_problem(error, scope, visit.id, send)


async def send_problem(error: Exception, scope: HTTPScope, request_id: str, send: Send) -> None:
    """Answer with `error` as a problem, outside of the router."""
    details = problem_of(error, instance=scope["path"], request_id=request_id)
    body = msgspec.json.encode(details)
    headers = [
        ("content-type", MEDIA_TYPE),
        ("content-length", str(len(body))),
        *headers_of(error),
    ]
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": details.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def client_address(scope: Any) -> str:
    """The peer's address; empty on a Unix socket."""
    return scope["client"][0] if scope.get("client") else ""


def _check_host(host: str, allowed: frozenset[str]) -> None:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.lower().strip("[]")
    if name == "localhost" or name in allowed:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise Malformed(
            f"this is not {host or 'a server without a name'}: the Host header must be an address, "
            "localhost, or a name listed in the admin settings"
        ) from None


def _check_origin(
    headers: dict[str, str], principal: Principal | None, hosts: frozenset[str]
) -> None:
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("another site's page may not do this")
    origin = urlsplit(headers.get("origin", ""))
    # A proxy may pass another Host on; the names that are configured are ours all the same.
    ours = origin.netloc == headers.get("host", "") or origin.hostname in hosts
    if "origin" in headers and not ours:
        raise Forbidden("another origin's page may not do this")
    if principal is None or not principal.csrf:
        return
    shown = headers.get(CSRF_HEADER, "").encode()
    if not secrets.compare_digest(shown, principal.csrf.encode()):
        raise Forbidden(f"send the session's csrf value in the {CSRF_HEADER} header")


def _headers(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _find(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")
