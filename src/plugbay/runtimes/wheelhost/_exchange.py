"""Requests and responses as the plugin sees them, and what it has changed of them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from plugbay.sdk import Headers, Request, Response, Timing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    Reader = Callable[[int], Awaitable[bytes]]

_ADD = 1


def request_of(head: Mapping[str, Any], reader: Reader | None) -> Request:
    """Make the request of a head."""
    request = Request.received(
        head.get("method", b"").decode("latin-1"),
        head.get("target", b""),
        _pairs(head.get("fields", ())),
        head.get("authority", ""),
        head.get("scheme", ""),
        head.get("client", ""),
        head.get("request_id", ""),
        head.get("http_version", ""),
        reader if head.get("has_body") else None,
    )
    request.route = head.get("route", "")
    return request


def response_of(head: Mapping[str, Any]) -> Response:
    """Make the upstream's response of a head."""
    return Response.received(head.get("status", 0), _pairs(head.get("fields", ())))


def timing_of(complete: Mapping[str, Any]) -> Timing:
    """Return how a request went."""
    return Timing(
        complete.get("total", 0.0),
        complete.get("upstream", 0.0),
        complete.get("plugins", 0.0),
        complete.get("request_bytes", 0),
        complete.get("response_bytes", 0),
        complete.get("outcome", ""),
    )


def request_changes(request: Request, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hook has changed of a request: the fields of a `Proceed`."""
    proceed = _field_changes(request.headers, head.get("fields", ()))
    method = request.method.encode("latin-1")
    if method != head.get("method", b""):
        proceed["method"] = method
    if request.target != head.get("target", b""):
        proceed["target"] = request.target
    return proceed


def response_changes(response: Response, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hook has changed of a response."""
    proceed = _field_changes(response.headers, head.get("fields", ()))
    if response.status != head.get("status", 0):
        proceed["status"] = response.status
    return proceed


def respond_with(response: Response) -> dict[str, Any]:
    """Return the fields of a `Respond`; a body that streams follows it."""
    body = response.body
    told: dict[str, Any] = {"status": response.status, "fields": flat(response.headers)}
    if body is None:
        told["keep_body"] = True
    elif isinstance(body, (bytes, bytearray, memoryview)):
        told["body"] = bytes(body)
    else:
        told["body_follows"] = True
    return told


def flat(headers: Headers) -> list[bytes]:
    """Return name, value, name, value …"""
    return list(chain.from_iterable(headers.raw))


def _pairs(fields: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(fields[::2], fields[1::2], strict=True))


def _field_changes(headers: Headers, before: Sequence[bytes]) -> dict[str, Any]:
    """Say what is new behind the old fields, or else all of them."""
    now = flat(headers)
    if now == before:
        return {}
    known = len(before)
    if now[:known] == before:
        added = zip(now[known::2], now[known + 1 :: 2], strict=True)
        return {"changes": [{"action": _ADD, "name": n, "value": v} for n, v in added]}
    return {"replace_fields": True, "fields": now}
