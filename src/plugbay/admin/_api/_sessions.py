"""Sign-in and sign-out, and what concerns only oneself."""

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.datastructures import Cookie

from plugbay.admin._access import Permission, Principal, Role
from plugbay.admin._border import client_address
from plugbay.admin._http import Ask, Use, principal, read_body, rule, visit
from plugbay.admin.access import Challenge, CredentialKind, Method
from plugbay.kernel import Conflict

MOST_BODY = 8192


class SignIn(msgspec.Struct, frozen=True):
    """Who signs in. `code` is for those who have a second factor, and can come later."""

    username: str
    password: str
    code: str = ""


class CodeShown(msgspec.Struct, frozen=True):
    """The second step of a sign-in: the challenge of the first, and a code of the authenticator,
    or a recovery code."""

    challenge: str
    code: str


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The session goes into a cookie; `csrf` goes into the X-CSRF-Token header of every
    request that changes something."""

    user: str
    csrf: str
    expires: float


class CodeWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The password was right, and a second factor is wanted: send `challenge` with a code."""

    challenge: str
    expires: float


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking, and what they may do. `csrf` is empty unless a session's cookie was sent.
    `restricted` says why there are fewer permissions than the roles grant."""

    user: str
    roles: list[Role]
    permissions: list[Permission]
    csrf: str
    kind: CredentialKind
    method: Method
    expires: float | None
    plugins: list[str] | None
    second_factor: bool
    second_factor_required: bool
    restricted: str
    source: str


class NewPassword(msgspec.Struct, frozen=True):
    """The old password proves that it is not just an open browser."""

    current: str
    password: str


class SignInWays(msgspec.Struct, frozen=True, kw_only=True):
    """How one can sign in. `oidc` is where a browser is sent for it; empty: not that way."""

    password: bool
    oidc: str
    oidc_name: str


class SessionRoutes(Controller):
    """Sessions and oneself."""

    path = "/"
    tags = ("sessions",)

    @get("/sign-in", opt=rule(None), operation_id="getSignInWays")
    async def ways(self, context: Use) -> SignInWays:
        """How one can sign in here."""
        oidc = context.access.oidc
        if oidc is None:
            return SignInWays(password=True, oidc="", oidc_name="")
        return SignInWays(password=True, oidc="/admin/api/v1/oidc/start", oidc_name=oidc.name)

    @post("/sessions", opt=rule(None, body=SignIn), operation_id="signIn", status_code=201)
    async def sign_in(self, request: Ask, context: Use) -> Response[SignedIn | CodeWanted]:
        """Sign in with a password. Starts a session, in a cookie. 202 wants a code: continue with
        `POST /sessions/second-factor`."""
        wish = await read_body(request, SignIn, limit=MOST_BODY, what="sign-in")
        found = await take_password(request, context, wish)
        if isinstance(found, Challenge):
            wanted = CodeWanted(challenge=found.secret, expires=found.expires)
            return Response(wanted, status_code=202)
        return await open_session(context, wish.username, found)

    @post(
        "/sessions/second-factor",
        opt=rule(None, body=CodeShown),
        operation_id="signInWithCode",
        status_code=201,
    )
    async def second_factor(self, request: Ask, context: Use) -> Response[SignedIn | CodeWanted]:
        """End a sign-in with a code. Starts a session, in a cookie."""
        wish = await read_body(request, CodeShown, limit=MOST_BODY, what="code")
        user, method = await take_code(request, context, wish)
        return await open_session(context, user, method)

    @delete("/sessions/current", opt=rule(Permission.SELF), operation_id="signOut")
    async def sign_out(self, request: Ask, context: Use) -> Response[None]:
        """End the session whose cookie was sent, or the family of the access token."""
        who = principal(request)
        if who.kind == "token":
            raise Conflict("a token was shown, not a session: revoke it with DELETE /tokens/{id}")
        if who.kind == "jwt":
            await context.credentials.access.end(who.credential)
            return Response(None, status_code=204)
        await context.credentials.sessions.close(who.credential)
        return Response(None, status_code=204, cookies=[session_cookie("", 0, context)])

    @get("/me", opt=rule(Permission.SELF), operation_id="getMe")
    async def me(self, request: Ask, context: Use) -> Me:
        """Who is asking, and what they may do."""
        return _me(principal(request), context)

    @get("/whoami", opt=rule(Permission.SELF), operation_id="whoAmI")
    async def who_am_i(self, request: Ask, context: Use) -> Me:
        """The same as `/me`."""
        return _me(principal(request), context)

    @put(
        "/me/password",
        opt=rule(Permission.SELF, body=NewPassword),
        operation_id="setPassword",
        status_code=204,
    )
    async def set_password(self, request: Ask, context: Use) -> Response[None]:
        """Change one's own password; all one's other sessions end."""
        who = principal(request)
        wish = await read_body(request, NewPassword, limit=MOST_BODY, what="password")
        await context.access.sign_ins.again(who.user, wish.current, client_address(request.scope))
        await context.users.change_password(who.user, wish.password, keep=who.credential)
        return Response(None, status_code=204)


async def take_password(request: Ask, context: Use, wish: SignIn) -> Method | Challenge:
    """The first step of a sign-in, or all of it. Raises `Unauthenticated`, `TooManyRequests`."""
    address, seen = client_address(request.scope), visit(request)
    seen.kind, seen.actor = "password", context.users.known(wish.username)
    sign_ins = context.access.sign_ins
    try:
        return await sign_ins.password(wish.username, wish.password, address, code=wish.code)
    finally:
        seen.limits = sign_ins.throttle.headers(wish.username, address)


async def take_code(request: Ask, context: Use, wish: CodeShown) -> tuple[str, Method]:
    """The second step of a sign-in. Raises `Unauthenticated`, `TooManyRequests`."""
    address, seen = client_address(request.scope), visit(request)
    sign_ins = context.access.sign_ins
    user = sign_ins.user_of(wish.challenge)
    seen.kind, seen.actor = "totp", user
    try:
        return await sign_ins.code(wish.challenge, wish.code, address)
    finally:
        seen.limits = sign_ins.throttle.headers(user, address)


async def open_session(context: Use, user: str, method: Method) -> Response[SignedIn | CodeWanted]:
    """Start a session of somebody who has signed in."""
    session = await context.credentials.sessions.open(user, method)
    return Response(
        SignedIn(user=user, csrf=session.csrf, expires=session.expires),
        status_code=201,
        cookies=[session_cookie(session.secret, context.options.session, context)],
    )


def session_cookie(secret: str, seconds: float, context: Use) -> Cookie:
    """The cookie of a session. With TLS its name ties it to this host, and needs the path `/`."""
    secure = context.options.secure_cookies
    return Cookie(
        key=context.credentials.cookie,
        value=secret,
        path="/" if secure else "/admin",
        max_age=int(seconds),
        httponly=True,
        samesite="strict",
        secure=secure,
    )


def _me(who: Principal, context: Use) -> Me:
    user = context.users.get(who.user)
    required = frozenset(context.options.second_factor).intersection(who.roles)
    return Me(
        user=who.user,
        roles=list(who.roles),
        permissions=sorted(who.permissions),
        csrf=who.csrf,
        kind=who.kind,
        method=context.credentials.method(who),
        expires=who.expires,
        plugins=None if who.plugins is None else sorted(who.plugins),
        second_factor=user.second_factor,
        second_factor_required=bool(required) and user.source == "local",
        restricted=who.restricted,
        source=user.source,
    )
