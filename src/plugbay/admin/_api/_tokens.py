"""Personal API tokens."""

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, principal, read_body, rule
from plugbay.admin.access import Token


class TokenWish(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be made. `expires_in` is in seconds; null: never."""

    name: str
    scopes: list[Permission]
    expires_in: float | None = 90 * 86400.0
    plugins: list[str] = []
    """The only plugins it may change; empty: any."""


class FreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with its secret, which is shown this one time."""

    token: Token
    secret: str


class TokenList(msgspec.Struct, frozen=True):
    """One's tokens."""

    items: list[Token]


class TokenRoutes(Controller):
    """Personal API tokens."""

    path = "/tokens"
    tags = ("tokens",)

    @post("/", opt=rule(Permission.SELF, body=TokenWish), operation_id="createToken")
    async def create(self, request: Ask, context: Use) -> Response[FreshToken]:
        """Make a token. Its scopes are at most one's own permissions."""
        wish = await read_body(request, TokenWish, limit=context.options.max_body, what="token")
        who = principal(request)
        token, secret = await context.credentials.tokens.issue(
            who,
            wish.name,
            wish.scopes,
            wish.expires_in,
            plugins=wish.plugins,
            method=context.credentials.method(who),
        )
        return Response(
            FreshToken(token=token, secret=secret),
            status_code=201,
            headers={"location": f"/admin/api/v1/tokens/{token.id}"},
        )

    @get("/", opt=rule(Permission.SELF), operation_id="listTokens")
    async def list(self, request: Ask, context: Use) -> TokenList:
        """One's tokens, without their secrets."""
        return TokenList(context.credentials.tokens.list(principal(request).user))

    @delete("/{token_id:str}", opt=rule(Permission.SELF), operation_id="revokeToken")
    async def revoke(self, request: Ask, context: Use, token_id: FromPath[str]) -> None:
        """Revoke a token at once."""
        await context.credentials.tokens.revoke(principal(request).user, token_id)
