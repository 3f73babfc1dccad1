"""Keys for requests through the gateway that show what the plugins do with them."""

import msgspec
from litestar import Controller, Response, post

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, read_body, rule
from plugbay.kernel import Invalid, Problem, Unavailable
from plugbay.observability import MAX_LIFETIME, TRACE_HEADER, sign_trace


class TraceKeyWish(msgspec.Struct, frozen=True, kw_only=True):
    """For how long, in seconds: at most an hour."""

    lifetime: int = 300


class TraceKey(msgspec.Struct, frozen=True, kw_only=True):
    """Send `value` in the field `header` of a request to the gateway: its response tells in
    `Server-Timing` what each plugin did, and how long it and the upstream took."""

    header: str
    value: str
    expires: float


class TraceKeyRoutes(Controller):
    """Keys for debug requests."""

    path = "/trace-keys"
    tags = ("trace-keys",)

    @post("/", opt=rule(Permission.TRACE, body=TraceKeyWish), operation_id="createTraceKey")
    async def create(self, request: Ask, context: Use) -> Response[TraceKey]:
        """Make a short-lived key for debug requests. It cannot be revoked."""
        limit, key = context.options.max_body, context.options.trace_key
        wish = await read_body(request, TraceKeyWish, limit=limit, what="trace key")
        if not 0 < wish.lifetime <= MAX_LIFETIME:
            expected, found = f"1 to {MAX_LIFETIME}", str(wish.lifetime)
            problem = Problem("/lifetime", "out of range", expected, found)
            raise Invalid(f"/lifetime: {expected} seconds", problems=(problem,))
        if not key:
            raise Unavailable("this gateway has no key to sign with")
        now = context.services.clock.time()
        made = TraceKey(
            header=TRACE_HEADER.decode(),
            value=sign_trace(key, now=now, lifetime=wish.lifetime),
            expires=int(now) + wish.lifetime,
        )
        return Response(made, status_code=201, headers={"cache-control": "no-store"})
