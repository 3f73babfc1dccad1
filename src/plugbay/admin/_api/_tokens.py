"""Bearer tokens of one's own, and users."""

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath

from plugbay.admin._access import Permission, Role
from plugbay.admin._http import Ask, Use, principal, read_body, rule
from plugbay.admin.access import Token, User


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


class UserWish(msgspec.Struct, frozen=True, kw_only=True):
    """A user to be added."""

    name: str
    roles: list[Role]
    password: str


class UserList(msgspec.Struct, frozen=True):
    """All users."""

    items: list[User]


class TokenRoutes(Controller):
    """Bearer tokens of one's own."""

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


class UserRoutes(Controller):
    """Users and their roles."""

    path = "/users"
    tags = ("users",)

    @get("/", opt=rule(Permission.USERS_WRITE), operation_id="listUsers")
    async def list(self, context: Use) -> UserList:
        """All users."""
        return UserList(context.users.list())

    @post("/", opt=rule(Permission.USERS_WRITE, body=UserWish), operation_id="createUser")
    async def create(self, request: Ask, context: Use) -> Response[User]:
        """Add a user with a first password."""
        wish = await read_body(request, UserWish, limit=context.options.max_body, what="user")
        user = await context.users.add(wish.name, wish.roles, wish.password)
        return Response(user, status_code=201)

    @delete("/{name:str}", opt=rule(Permission.USERS_WRITE), operation_id="deleteUser")
    async def delete(self, context: Use, name: FromPath[str]) -> None:
        """Remove a user; their sessions and tokens end at once."""
        await context.users.remove(name)
