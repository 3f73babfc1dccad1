"""One's own second factor: enrol it, and remove it."""

import msgspec
from litestar import Controller, Response, post

from plugbay.admin._access import Permission
from plugbay.admin._border import client_address
from plugbay.admin._http import Ask, Use, principal, read_body, rule
from plugbay.admin.access import Enrolment
from plugbay.kernel import Conflict, Unauthenticated


class PasswordShown(msgspec.Struct, frozen=True):
    """The password proves that it is not just an open browser."""

    current: str


class FirstCode(msgspec.Struct, frozen=True):
    """The first code that the authenticator shows."""

    code: str


class Removal(msgspec.Struct, frozen=True):
    """Password and code, or a recovery code."""

    current: str
    code: str


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Each is good for one sign-in without the authenticator. They are shown this one time."""

    recovery_codes: list[str]


class SecondFactorRoutes(Controller):
    """A second factor: time-based one-time codes (RFC 6238)."""

    path = "/me/totp"
    tags = ("sessions",)

    @post(
        "/",
        opt=rule(Permission.SELF, body=PasswordShown),
        operation_id="beginSecondFactor",
        status_code=200,
    )
    async def begin(self, request: Ask, context: Use) -> Enrolment:
        """Make a secret for an authenticator. It counts once its first code was confirmed."""
        who = principal(request)
        wish = await read_body(request, PasswordShown, limit=8192, what="password")
        await context.access.sign_ins.again(who.user, wish.current, client_address(request.scope))
        if context.users.get(who.user).source != "local":
            raise Conflict("your second factor is where you sign in")
        return await context.access.factors.begin(who.user)

    @post(
        "/confirm",
        opt=rule(Permission.SELF, body=FirstCode),
        operation_id="confirmSecondFactor",
        status_code=200,
    )
    async def confirm(self, request: Ask, context: Use) -> RecoveryCodes:
        """Confirm it with its first code. From now on a sign-in asks for one."""
        who, address = principal(request), client_address(request.scope)
        wish = await read_body(request, FirstCode, limit=8192, what="code")
        throttle = context.access.sign_ins.throttle
        throttle.attempt(who.user, address)
        codes = await context.access.factors.confirm(who.user, wish.code)
        throttle.succeeded(who.user, address)
        if who.kind == "session":
            await context.credentials.sessions.strengthen(who.credential)
        return RecoveryCodes(codes)

    @post(
        "/remove",
        opt=rule(Permission.SELF, body=Removal),
        operation_id="removeSecondFactor",
        status_code=204,
    )
    async def remove(self, request: Ask, context: Use) -> Response[None]:
        """Remove it: with the password and a code."""
        who, access = principal(request), context.access
        wish = await read_body(request, Removal, limit=8192, what="removal")
        await access.sign_ins.again(who.user, wish.current, client_address(request.scope))
        if access.factors.enrolled(who.user) and not await access.factors.check(
            who.user, wish.code
        ):
            access.sign_ins.throttle.attempt(who.user, client_address(request.scope))
            raise Unauthenticated("the code is wrong")
        await access.factors.remove(who.user)
        return Response(None, status_code=204)
