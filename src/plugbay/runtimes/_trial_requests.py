"""The harmless requests that a plugin is asked in its trial, whatever runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.sdk import Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"hello": "w\xc3\xb6rld", "n": [1, 2, 3]}'


def trial_requests() -> Iterator[tuple[Request, bytes]]:
    """Yield requests, and their bodies."""
    yield _request("GET", "/")
    yield _request("HEAD", "/a/b%20c?x=1&x=2&empty=&q=%C3%A4", cookie="a=1; b=2")
    yield _request("POST", "/items", BODY)


def trial_response() -> Response:
    """Return what an upstream may have answered."""
    return Response(200, {"content-type": "text/plain; charset=utf-8"}, None)


def _request(method: str, target: str, body: bytes = b"", **more: str) -> tuple[Request, bytes]:
    async def read(limit: int) -> bytes:
        return body[: limit + 1]

    fields = {"host": "example.com", "user-agent": "plugbay-trial/1", "accept": "*/*", **more}
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body))}
    request = Request(
        method,
        target,
        headers=Headers.of(fields),
        authority="example.com",
        client="192.0.2.1",
        id="trial",
        route="trial",
        reader=read if body else None,
    )
    return request, body
