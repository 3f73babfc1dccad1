"""Who may do what: users and their roles; and one's own account."""

from litestar import Controller, Response, get
from litestar.params import FromPath

from plugbay.admin._access import Permission, Role
from plugbay.admin._http import Ask, principal, rule
from plugbay.admin.access import granted
from plugbay.admin.pages._rendering import Show

EXPIRIES = {7: "7 days", 30: "30 days", 90: "90 days", 365: "a year"}
"""How long a token lasts, in days."""


class AccessPageRoutes(Controller):
    """Users, roles and tokens."""

    path = "/"

    @get("/access", opt=rule(Permission.USERS_READ))
    async def users(self, request: Ask, pages: Show) -> Response[str]:
        """All users, and what the roles grant."""
        return pages.show(
            request,
            "access.html",
            section="access",
            users=pages.context.users.list(),
            roles={role: sorted(granted([role])) for role in Role},
        )

    @get("/access/{name:str}", opt=rule(Permission.USERS_READ))
    async def user(self, request: Ask, pages: Show, name: FromPath[str]) -> Response[str]:
        """One user, and the tokens that they have."""
        user = pages.context.users.get(name)
        return pages.show(
            request,
            "access_user.html",
            section="access",
            user=user,
            roles=list(Role),
            tokens=pages.context.credentials.tokens.list(user.name),
        )

    @get("/account", opt=rule(Permission.SELF))
    async def account(self, request: Ask, pages: Show) -> Response[str]:
        """One's own password, second factor and tokens."""
        who = principal(request)
        return pages.show(
            request,
            "account.html",
            section="account",
            user=pages.context.users.get(who.user),
            permissions=sorted(who.permissions),
            tokens=pages.context.credentials.tokens.list(who.user),
            expiries=EXPIRIES,
        )
