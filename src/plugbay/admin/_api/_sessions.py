"""Sign-in and sign-out, and what concerns only oneself."""

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.datastructures import Cookie

from plugbay.admin._access import Permission, Principal, Role
from plugbay.admin._border import client_address
from plugbay.admin._http import Ask, Use, principal, read_body, rule, visit
from plugbay.kernel import Conflict, Unauthenticated

COOKIE_PATH = "/admin"


class SignIn(msgspec.Struct, frozen=True):
    """Who signs in."""

    username: str
    password: str


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The session goes into a cookie; `csrf` goes into the X-CSRF-Token header of every
    request that changes something."""

    user: str
    csrf: str
    expires: float


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. `csrf` is empty unless a session's cookie was sent."""

    user: str
    roles: list[Role]
    permissions: list[Permission]
    csrf: str


class NewPassword(msgspec.Struct, frozen=True):
    """The old password proves that it is not just an open browser."""

    current: str
    password: str


class SessionRoutes(Controller):
    """Sessions and oneself."""

    path = "/"
    tags = ("sessions",)

    @post("/sessions", opt=rule(None, body=SignIn), operation_id="signIn")
    async def sign_in(self, request: Ask, context: Use) -> Response[SignedIn]:
        """Sign in with a password. Starts a session, in a cookie."""
        wish = await read_body(request, SignIn, limit=4096, what="sign-in")
        address, seen = client_address(request.scope), visit(request)
        seen.kind, seen.actor = "password", context.users.known(wish.username)
        try:
            context.throttle.attempt(wish.username, address)
            if not await context.users.verify(wish.username, wish.password):
                raise Unauthenticated("the user name or the password is wrong")
            context.throttle.succeeded(wish.username, address)
        finally:
            seen.limits = context.throttle.headers(wish.username, address)
        session = await context.credentials.sessions.open(wish.username, "password")
        return Response(
            SignedIn(user=wish.username, csrf=session.csrf, expires=session.expires),
            status_code=201,
            cookies=[_cookie(session.secret, context.options.session, context)],
        )

    @delete("/sessions/current", opt=rule(Permission.SELF), operation_id="signOut")
    async def sign_out(self, request: Ask, context: Use) -> Response[None]:
        """End the session whose cookie was sent."""
        who = principal(request)
        if not who.csrf:
            raise Conflict("a token was shown, not a session: revoke it with DELETE /tokens/{id}")
        await context.credentials.sessions.close(who.credential)
        return Response(None, status_code=204, cookies=[_cookie("", 0, context)])

    @get("/me", opt=rule(Permission.SELF), operation_id="getMe")
    async def me(self, request: Ask) -> Me:
        """Who is asking, and what they may do."""
        return _me(principal(request))

    @put(
        "/me/password",
        opt=rule(Permission.SELF, body=NewPassword),
        operation_id="setPassword",
        status_code=204,
    )
    async def set_password(self, request: Ask, context: Use) -> Response[None]:
        """Change one's own password; all one's other sessions end."""
        who = principal(request)
        wish = await read_body(request, NewPassword, limit=8192, what="password")
        address = client_address(request.scope)
        context.throttle.attempt(who.user, address)
        if not await context.users.verify(who.user, wish.current):
            raise Unauthenticated("the current password is wrong")
        context.throttle.succeeded(who.user, address)
        await context.users.change_password(who.user, wish.password, keep=who.credential)
        return Response(None, status_code=204)


def _me(who: Principal) -> Me:
    return Me(
        user=who.user, roles=list(who.roles), permissions=sorted(who.permissions), csrf=who.csrf
    )


def _cookie(secret: str, seconds: float, context: Use) -> Cookie:
    return Cookie(
        key=context.credentials.cookie,
        value=secret,
        path=COOKIE_PATH,
        max_age=int(seconds),
        httponly=True,
        samesite="strict",
        secure=context.options.secure_cookies,
    )
