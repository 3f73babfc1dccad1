"""What the routes share: their rule, the body, entity tags, and who is asking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from plugbay.admin._access import Permission
from plugbay.admin._context import Context
from plugbay.admin.access import NO_PLUGIN
from plugbay.kernel import Forbidden, Malformed, TooLarge, convert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from plugbay.admin._access import Principal
    from plugbay.admin._visit import Visit

T = TypeVar("T")

Use = NamedDependency[SkipValidation[Context]]
"""All that the routes use, in the signature of one."""
Ask = Request[Any, Any, Any]
"""A request that has passed the border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a route asks of its caller, and what it takes and gives, for the OpenAPI document."""

    permission: Permission | None
    body: type[Any] | None = None
    upload: bool = False
    if_match: bool = False
    change: bool = False
    """It answers with an operation, and can wait for its end."""
    events: bool = False
    """It answers with server-sent events."""
    plugin: str = "plugin"
    """The path's parameter that names the plugin, for credentials that are limited to some."""
    checks_plugin: bool = False
    """The route itself calls `Principal.require_plugin`, once it knows the plugin."""
    errors: type[Any] | None = None
    """What its errors are, as JSON; None: problems (RFC 9457)."""
    form: Mapping[str, str] | None = None
    """The fields of an upload that is a form and nothing else, with what they are."""
    text: str = ""
    """Another media type that it can answer with, whose content is text."""


def rule(
    permission: Permission | None,
    *,
    body: type[Any] | None = None,
    upload: bool = False,
    if_match: bool = False,
    change: bool = False,
    events: bool = False,
    plugin: str = "plugin",
    checks_plugin: bool = False,
    errors: type[Any] | None = None,
    form: Mapping[str, str] | None = None,
    text: str = "",
) -> dict[str, Any]:
    """The `opt` of a route. `None` is for the sign-in alone: anybody may try."""
    said = Rule(
        permission=permission,
        body=body,
        upload=upload,
        if_match=if_match,
        change=change,
        events=events,
        plugin=plugin,
        checks_plugin=checks_plugin,
        errors=errors,
        form=form,
        text=text,
    )
    return {"rule": said}


async def permit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: raises `Forbidden` unless the caller has the route's permission, for the route's
    plugin, and `TooManyRequests` for uploads beyond their own limit.

    A route without a rule is refused: what nobody thought of, nobody may. The one exception is
    Litestar's own answer to OPTIONS, which needs a sign-in only.
    """
    # A coroutine, for Litestar hands a plain guard to a thread: milliseconds when it is busy.
    wanted = cast("Rule | None", handler.opt.get("rule"))
    seen = visit(connection)
    seen.act = getattr(handler, "operation_id", None) or handler.handler_name
    if wanted is None:
        if cast("Mapping[str, Any]", connection.scope).get("method") != "OPTIONS":
            raise Forbidden("this route does not say who may call it")
        return
    if wanted.permission is None:
        return
    who = cast("Principal", connection.scope["user"])
    who.require(wanted.permission)
    seen.reads = wanted.permission is Permission.READ
    _check_plugin(who, wanted, connection.path_params)
    if wanted.upload:
        uploads = context_of(connection).uploads
        try:
            uploads.take(seen.limited_as)
        finally:
            seen.limits += uploads.headers(seen.limited_as)


def _check_plugin(who: Principal, wanted: Rule, parameters: Mapping[str, Any]) -> None:
    if wanted.permission in NO_PLUGIN or wanted.checks_plugin:
        return
    if wanted.plugin in parameters:
        who.require_plugin(str(parameters[wanted.plugin]))
    else:
        who.require_all_plugins()


def principal(request: Ask) -> Principal:
    """Who is asking."""
    return cast("Principal", request.scope["user"])


def visit(request: ASGIConnection[Any, Any, Any, Any]) -> Visit:
    """The request as the border sees it."""
    return cast("Visit", request.scope["state"]["visit"])


def context_of(request: ASGIConnection[Any, Any, Any, Any]) -> Context:
    """All that the routes use; the border gives it to each request."""
    return cast("Context", request.scope["state"]["context"])


async def read_body(request: Ask, type_: type[T], *, limit: int, what: str) -> T:
    """Read the body strictly. Raises `TooLarge`, `Malformed` or `Invalid` with pointers."""
    raw = await read_limited(request, limit)
    try:
        plain = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    return convert(plain, type_, what=what)


async def read_limited(request: Ask, limit: int) -> bytes:
    """Read the whole body. Raises `TooLarge` as soon as it is longer than `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def etag(value: object) -> str:
    """A strong entity tag of `value` (RFC 9110, 8.8.3)."""
    encoded = msgspec.json.encode(value, order="deterministic")
    return f'"{hashlib.sha256(encoded).hexdigest()[:24]}"'
