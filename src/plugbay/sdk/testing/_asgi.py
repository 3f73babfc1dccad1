"""Asks an ASGI application, as the gateway does for a mounted plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from plugbay.sdk._headers import Headers
from plugbay.sdk._response import Response

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from plugbay.sdk._plugin import Asgi
    from plugbay.sdk._request import Request


async def ask(app: Asgi, request: Request, body: bytes) -> Response:
    """Run one HTTP request through the application (ASGI 3) and read its whole response.

    Raises `RuntimeError` if it never starts a response.
    """
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    head: list[MutableMapping[str, Any]] = []
    chunks: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            head.append(message)
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(_scope(request), receive, send)
    if not head:
        raise RuntimeError("the application sent no response")
    fields = [(bytes(name).lower(), bytes(value)) for name, value in head[0].get("headers", ())]
    return Response(head[0]["status"], Headers(fields), b"".join(chunks))


def _scope(request: Request) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version,
        "method": request.method,
        "scheme": request.scheme,
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": list(request.headers.raw),
        "client": (request.client, 0) if request.client else None,
        "server": (request.authority or "testserver", 80),
    }
