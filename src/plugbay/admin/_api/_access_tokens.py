"""Access and refresh tokens, for programs that sign in with a password; and their keys."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromQuery

from plugbay.admin._access import Permission
from plugbay.admin._api._sessions import (
    MOST_BODY,
    CodeShown,
    CodeWanted,
    SignIn,
    take_code,
    take_password,
)
from plugbay.admin._http import Ask, Use, read_body, rule, visit
from plugbay.admin.access import Challenge, Reused, TokenPair
from plugbay.kernel import Unauthenticated


class Refresh(msgspec.Struct, frozen=True):
    """The last refresh token of the family. It is good for once."""

    refresh_token: str


class WebKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key (RFC 7517, RFC 8037)."""

    kid: str
    kty: str
    crv: str
    x: str
    use: str = "sig"
    alg: str = "Ed25519"


class WebKeys(msgspec.Struct, frozen=True):
    """A JSON Web Key Set."""

    keys: list[WebKey]


class Rotated(msgspec.Struct, frozen=True):
    """The id of the key that signs from now on."""

    kid: str


class AccessTokenRoutes(Controller):
    """Short access tokens, and refresh tokens that are good for once."""

    path = "/access-tokens"
    tags = ("access-tokens",)

    @post("/", opt=rule(None, body=SignIn), operation_id="issueAccessToken", status_code=200)
    async def issue(self, request: Ask, context: Use) -> Response[TokenPair | CodeWanted]:
        """Sign in with a password, and the code if there is a second factor. 202 wants a code."""
        wish = await read_body(request, SignIn, limit=MOST_BODY, what="sign-in")
        found = await take_password(request, context, wish)
        if isinstance(found, Challenge):
            wanted = CodeWanted(challenge=found.secret, expires=found.expires)
            return Response(wanted, status_code=202)
        return Response(await context.credentials.access.issue(wish.username, found))

    @post(
        "/second-factor",
        opt=rule(None, body=CodeShown),
        operation_id="issueAccessTokenWithCode",
        status_code=200,
    )
    async def second_factor(self, request: Ask, context: Use) -> TokenPair:
        """End a sign-in with a code."""
        wish = await read_body(request, CodeShown, limit=MOST_BODY, what="code")
        user, method = await take_code(request, context, wish)
        return await context.credentials.access.issue(user, method)

    @post(
        "/refresh",
        opt=rule(None, body=Refresh),
        operation_id="refreshAccessToken",
        status_code=200,
    )
    async def refresh(self, request: Ask, context: Use) -> TokenPair:
        """Swap a refresh token for the next pair. One that is shown twice ends its family."""
        wish = await read_body(request, Refresh, limit=MOST_BODY, what="refresh")
        return await refreshed(request, context, wish.refresh_token)


class SigningKeyRoutes(Controller):
    """What access tokens are signed with."""

    path = "/signing-keys"
    tags = ("access-tokens",)

    @get("/", opt=rule(Permission.READ), operation_id="listSigningKeys")
    async def list(self, context: Use) -> WebKeys:
        """The public keys, as a JSON Web Key Set."""
        keys = context.credentials.access.keys.public()
        return WebKeys([msgspec.convert(key, WebKey) for key in keys])

    @post(
        "/rotate",
        opt=rule(Permission.USERS_WRITE),
        operation_id="rotateSigningKey",
        status_code=200,
    )
    async def rotate(self, context: Use, forget: FromQuery[bool] = False) -> Rotated:
        """Sign with a new key from now on. With `forget` all access tokens there are end."""
        return Rotated(context.credentials.access.keys.rotate(forget=forget))


async def refreshed(request: Ask, context: Use, secret: str) -> TokenPair:
    """The next pair. Raises `Unauthenticated`."""
    found, seen = await context.credentials.access.refresh(secret), visit(request)
    if isinstance(found, Reused):
        seen.actor, seen.target = found.user, f"refresh-families/{found.id}"
        seen.detail = "a refresh token was shown twice: its family has ended"
        raise Unauthenticated("this refresh token was used before: sign in again")
    seen.actor, seen.kind = found.user, "jwt"
    return found
