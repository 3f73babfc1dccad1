"""What the routes share: their rule, the body, entity tags, and who is asking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from plugbay.admin._context import Context
from plugbay.kernel import Malformed, TooLarge, convert

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from plugbay.admin._access import Permission, Principal
    from plugbay.admin._border import Visit

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


def rule(
    permission: Permission | None,
    *,
    body: type[Any] | None = None,
    upload: bool = False,
    if_match: bool = False,
    change: bool = False,
    events: bool = False,
) -> dict[str, Any]:
    """The `opt` of a route. `None` is for the sign-in alone: anybody may try."""
    said = Rule(permission=permission, body=body, upload=upload, if_match=if_match, change=change)
    return {"rule": said}


def permit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: raises `Forbidden` unless the caller has the route's permission.

    A route without a rule is Litestar's own answer to OPTIONS, which needs a sign-in only.
    """
    wanted = cast("Rule | None", handler.opt.get("rule"))
    if wanted is not None and wanted.permission is not None:
        cast("Principal", connection.scope["user"]).require(wanted.permission)


def principal(request: Ask) -> Principal:
    """Who is asking."""
    return cast("Principal", request.scope["user"])


def visit(request: Ask) -> Visit:
    """The request as the border sees it."""
    return cast("Visit", request.scope["state"]["visit"])


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
