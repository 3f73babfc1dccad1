"""Keys for requests through the gateway that show what the plugins do with them."""

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, principal, read_body, rule, visit
from plugbay.admin.access import TraceKeyRecord
from plugbay.kernel import Invalid, Problem, Unavailable
from plugbay.observability import MAX_LIFETIME, TRACE_HEADER, sign_trace


class TraceKeyWish(msgspec.Struct, frozen=True, kw_only=True):
    """For how long, in seconds: at most an hour."""

    lifetime: int = 300


class TraceKey(msgspec.Struct, frozen=True, kw_only=True):
    """Send `value` in the field `header` of a request to the gateway: its response tells in
    `Server-Timing` what each plugin did, and how long it and the upstream took."""

    id: str
    header: str
    value: str
    expires: float


class TraceKeyList(msgspec.Struct, frozen=True):
    """Trace keys that have not expired."""

    items: list[TraceKeyRecord]


class TraceKeyRoutes(Controller):
    """Keys for debug requests."""

    path = "/trace-keys"
    tags = ("trace-keys",)

    @post("/", opt=rule(Permission.TRACE, body=TraceKeyWish), operation_id="createTraceKey")
    async def create(self, request: Ask, context: Use) -> Response[TraceKey]:
        """Make a short-lived key for debug requests. It is shown this one time."""
        limit, key = context.options.max_body, context.options.trace_key
        wish = await read_body(request, TraceKeyWish, limit=limit, what="trace key")
        if not 0 < wish.lifetime <= MAX_LIFETIME:
            expected, found = f"1 to {MAX_LIFETIME}", str(wish.lifetime)
            problem = Problem("/lifetime", "out of range", expected, found)
            raise Invalid(f"/lifetime: {expected} seconds", problems=(problem,))
        if not key:
            raise Unavailable("this gateway has no key to sign with")
        now = context.services.clock.time()
        expires = int(now) + wish.lifetime
        id_ = await context.access.trace_keys.add(principal(request).user, expires)
        visit(request).target = f"trace-keys/{id_}"
        made = TraceKey(
            id=id_,
            header=TRACE_HEADER.decode(),
            value=sign_trace(key, now=now, lifetime=wish.lifetime, id=id_),
            expires=expires,
        )
        return Response(made, status_code=201, headers={"cache-control": "no-store"})

    @get("/", opt=rule(Permission.TRACE), operation_id="listTraceKeys")
    async def list(self, request: Ask, context: Use) -> TraceKeyList:
        """One's own trace keys; whoever may revoke others' sees all."""
        return TraceKeyList(context.access.trace_keys.list(_whose(request)))

    @delete("/{key_id:str}", opt=rule(Permission.TRACE), operation_id="revokeTraceKey")
    async def revoke(self, request: Ask, context: Use, key_id: FromPath[str]) -> None:
        """Revoke a trace key at once: one's own, or with the permission `access:revoke` any."""
        await context.access.trace_keys.revoke(key_id, _whose(request))


def _whose(request: Ask) -> str:
    who = principal(request)
    return "" if Permission.ACCESS_REVOKE in who.permissions else who.user
