"""The border: what every request passes before any route sees it, and every answer after.

It stands around the router and not inside it, so that a path that does not exist and a method
that is not allowed also ask for a sign-in first: whoever is not signed in learns nothing, not
even which paths there are.
"""

from __future__ import annotations

import http.cookies
import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from plugbay.admin._audit import Audit, AuditRecord
from plugbay.admin._limits import RateLimit, network
from plugbay.admin._problems import MEDIA_TYPE, headers_of, problem_of
from plugbay.kernel import Forbidden, Malformed, Unauthenticated

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

    from plugbay.admin._access import Principal
    from plugbay.admin._credentials import Credentials
    from plugbay.kernel import Clock

COOKIE = "plugbay_session"
CSRF_HEADER = "x-csrf-token"
SIGN_IN = ("POST", "/admin/api/v1/sessions")
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
    """What the border asks."""

    credentials: Credentials
    limit: RateLimit
    hosts: frozenset[str]
    audit: Audit
    clock: Clock


@dataclass(slots=True)
class Visit:
    """One request as the border sees it."""

    id: str
    address: str
    limited_as: str
    principal: Principal | None = None
    status: int = 0
    location: str = ""
    limits: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """A tighter limit than the general one, told instead of it."""


class Border:
    """ASGI around the application: checks on the way in, headers and audit on the way out."""

    def __init__(self, app: ASGIApp, gates: Gates) -> None:
        self._app, self._gates = app, gates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        http_scope = cast("HTTPScope", scope)
        address = client_address(scope)
        visit = Visit(secrets.token_hex(8), address, f"address {network(address)}")
        scope["state"]["visit"] = visit
        outward = self._outward(visit, send)
        try:
            self._admit(http_scope, visit)
        except Exception as error:  # noqa: BLE001 - becomes a problem, as inside the router
            await send_problem(error, http_scope, visit.id, outward)
        else:
            await self._app(scope, receive, outward)
        finally:
            self._leave(http_scope, visit)

    def _admit(self, scope: HTTPScope, visit: Visit) -> None:
        headers = _headers(scope)
        _check_host(headers.get("host", ""), self._gates.hosts)
        visit.principal = principal = self._identify(headers)
        if principal is not None:
            visit.limited_as = f"user {principal.user}"
        self._gates.limit.take(visit.limited_as)
        signs_in = (scope["method"], scope["path"]) == SIGN_IN
        if principal is None and not signs_in:
            raise Unauthenticated(
                f"show a bearer token, or sign in with {' '.join(SIGN_IN)} and send its cookie"
            )
        if scope["method"] not in SAFE:
            _check_origin(headers, None if signs_in else principal)
        scope["user"] = principal

    def _identify(self, headers: dict[str, str]) -> Principal | None:
        """Who asks. A token that is shown counts alone: a bad one does not fall back."""
        if authorization := headers.get("authorization"):
            scheme, _, secret = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            return self._gates.credentials.by_token(secret.strip())
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except http.cookies.CookieError:
            return None
        morsel = cookies.get(COOKIE)
        return self._gates.credentials.by_session(morsel.value) if morsel else None

    def _outward(self, visit: Visit, send: Send) -> Send:
        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                headers = list(message.get("headers", ()))
                visit.location = _find(headers, b"location")
                message["headers"] = [*headers, *self._extra(visit, headers)]
            await send(message)

        return outward

    def _extra(self, visit: Visit, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name for name, _ in headers}
        extra = [*_SECURITY, (b"x-request-id", visit.id.encode())]
        for name, value in visit.limits or self._gates.limit.headers(visit.limited_as):
            extra.append((name.encode(), value.encode()))
        return [(name, value) for name, value in extra if name not in present]

    def _leave(self, scope: HTTPScope, visit: Visit) -> None:
        if scope["method"] in SAFE:
            return
        record = AuditRecord(
            time=self._gates.clock.time(),
            request_id=visit.id,
            actor=visit.principal.user if visit.principal else "",
            credential=visit.principal.credential if visit.principal else "",
            address=visit.address,
            method=scope["method"],
            path=scope["path"],
            status=visit.status,
            location=visit.location,
        )
        self._gates.audit(record)


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


def _check_origin(headers: dict[str, str], principal: Principal | None) -> None:
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("another site's page may not do this")
    if principal is None or not principal.csrf:
        return
    shown = headers.get(CSRF_HEADER, "").encode()
    if not secrets.compare_digest(shown, principal.csrf.encode()):
        raise Forbidden(f"send the session's csrf value in the {CSRF_HEADER} header")


def _headers(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _find(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")
