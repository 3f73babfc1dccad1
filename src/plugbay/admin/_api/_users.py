"""Users: who they are, which roles they have, and what others may take from them."""

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery

from plugbay.admin._access import Permission, Role
from plugbay.admin._http import Ask, Use, read_body, rule, visit
from plugbay.admin.access import Token, User, granted
from plugbay.admin.audit import digest_of


class UserWish(msgspec.Struct, frozen=True, kw_only=True):
    """A user to be added."""

    name: str
    roles: list[Role]
    password: str


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different; null: as it is."""

    roles: list[Role] | None = None
    disabled: bool | None = None


class PasswordSet(msgspec.Struct, frozen=True):
    """A new password for somebody else."""

    password: str


class UserList(msgspec.Struct, frozen=True):
    """All users."""

    items: list[User]


class UserTokens(msgspec.Struct, frozen=True):
    """Somebody's tokens."""

    items: list[Token]


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """A role and what it grants."""

    role: Role
    permissions: list[Permission]


class RoleList(msgspec.Struct, frozen=True):
    """All roles."""

    items: list[RoleView]


class UserRoutes(Controller):
    """Users and their roles."""

    path = "/users"
    tags = ("users",)

    @get("/", opt=rule(Permission.USERS_READ), operation_id="listUsers")
    async def list(self, context: Use) -> UserList:
        """All users."""
        return UserList(context.users.list())

    @post("/", opt=rule(Permission.USERS_WRITE, body=UserWish), operation_id="createUser")
    async def create(self, request: Ask, context: Use) -> Response[User]:
        """Add a user with a first password."""
        wish = await read_body(request, UserWish, limit=context.options.max_body, what="user")
        user = await context.users.add(wish.name, wish.roles, wish.password)
        seen = visit(request)
        seen.target, seen.after = f"users/{user.name}", digest_of(msgspec.to_builtins(user))
        return Response(user, status_code=201)

    @get("/{name:str}", opt=rule(Permission.USERS_READ), operation_id="getUser")
    async def one(self, context: Use, name: FromPath[str]) -> User:
        """One user."""
        return context.users.get(name)

    @patch(
        "/{name:str}", opt=rule(Permission.USERS_WRITE, body=UserChange), operation_id="changeUser"
    )
    async def change(self, request: Ask, context: Use, name: FromPath[str]) -> User:
        """Give other roles, lock out or let in again. Who is locked out is signed out at once."""
        wish = await read_body(request, UserChange, limit=context.options.max_body, what="user")
        before = context.users.get(name)
        user = await context.users.change(name, roles=wish.roles, disabled=wish.disabled)
        seen = visit(request)
        seen.before = digest_of(msgspec.to_builtins(before))
        seen.after = digest_of(msgspec.to_builtins(user))
        return user

    @put(
        "/{name:str}/password",
        opt=rule(Permission.USERS_WRITE, body=PasswordSet),
        operation_id="resetPassword",
        status_code=204,
    )
    async def reset(self, request: Ask, context: Use, name: FromPath[str]) -> Response[None]:
        """Set somebody's password; their sessions end."""
        wish = await read_body(request, PasswordSet, limit=8192, what="password")
        await context.users.change_password(name, wish.password)
        return Response(None, status_code=204)

    @delete("/{name:str}/totp", opt=rule(Permission.USERS_WRITE), operation_id="resetSecondFactor")
    async def reset_second_factor(self, context: Use, name: FromPath[str]) -> None:
        """Remove the second factor of somebody who has lost it."""
        await context.access.factors.remove(name)

    @delete("/{name:str}/sessions", opt=rule(Permission.ACCESS_REVOKE), operation_id="signOutUser")
    async def sign_out(
        self, context: Use, name: FromPath[str], tokens: FromQuery[bool] = False
    ) -> None:
        """End all sessions of somebody, and with `tokens` the personal tokens too."""
        await context.users.sign_out(name, tokens=tokens)

    @get("/{name:str}/tokens", opt=rule(Permission.USERS_READ), operation_id="listUserTokens")
    async def tokens(self, context: Use, name: FromPath[str]) -> UserTokens:
        """Somebody's personal tokens, without their secrets."""
        return UserTokens(context.credentials.tokens.list(context.users.get(name).name))

    @delete(
        "/{name:str}/tokens/{token_id:str}",
        opt=rule(Permission.ACCESS_REVOKE),
        operation_id="revokeUserToken",
    )
    async def revoke(self, context: Use, name: FromPath[str], token_id: FromPath[str]) -> None:
        """Revoke somebody's token at once."""
        await context.credentials.tokens.revoke(name, token_id)

    @delete("/{name:str}", opt=rule(Permission.USERS_WRITE), operation_id="deleteUser")
    async def delete(self, context: Use, name: FromPath[str]) -> None:
        """Remove a user; their sessions and tokens end at once."""
        await context.users.remove(name)


class RoleRoutes(Controller):
    """What the roles grant."""

    path = "/roles"
    tags = ("users",)

    @get("/", opt=rule(Permission.READ), operation_id="listRoles")
    async def list(self) -> RoleList:
        """All roles with their permissions."""
        return RoleList([RoleView(role=role, permissions=sorted(granted([role]))) for role in Role])
