"""`POST /admin/api/login`, as clients of the Odin admin API call it."""

import msgspec
from litestar import Controller, Response, post

from plugbay.admin._api._sessions import MOST_BODY, SignIn, take_password
from plugbay.admin._http import Ask, Use, read_body, rule, visit
from plugbay.admin._problems import headers_of
from plugbay.admin.access import Challenge, Role
from plugbay.kernel import PlugbayError


class OdinUser(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in."""

    username: str
    roles: list[Role]


class LoggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """`token` goes into `Authorization: Bearer …`; the rest is for clients that refresh it."""

    success: bool
    token: str
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    user: OdinUser


class NotLoggedIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why not."""

    error: str
    second_factor: bool = False


class OdinLoginRoutes(Controller):
    """The sign-in of Odin's clients."""

    path = "/login"
    tags = ("access-tokens",)

    @post(
        "/", opt=rule(None, body=SignIn, errors=NotLoggedIn), operation_id="login", status_code=200
    )
    async def login(self, request: Ask, context: Use) -> Response[LoggedIn | NotLoggedIn]:
        """Sign in with a password. Who has a second factor sends `code` along."""
        try:
            wish = await read_body(request, SignIn, limit=MOST_BODY, what="sign-in")
            found = await take_password(request, context, wish)
        except PlugbayError as error:
            visit(request).detail = error.code
            headers = dict(headers_of(error))
            return Response(
                NotLoggedIn(error=error.detail), status_code=error.status, headers=headers
            )
        if isinstance(found, Challenge):
            wanted = NotLoggedIn(error="send the code of the second factor", second_factor=True)
            return Response(wanted, status_code=401)
        pair = await context.credentials.access.issue(wish.username, found)
        user = OdinUser(username=wish.username, roles=context.users.get(wish.username).roles)
        return Response(
            LoggedIn(
                success=True,
                token=pair.access_token,
                access_token=pair.access_token,
                refresh_token=pair.refresh_token,
                token_type=pair.token_type,
                expires_in=pair.expires_in,
                user=user,
            )
        )
