"""The gateway's own refusals, as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from plugbay.gateway.message._wire import CLOSE, response_head
from plugbay.sdk import Response


class Refused(Exception):
    """A request that the gateway does not take: the status to answer with, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(status: int, detail: str, *, retry_after: float | None = None) -> Response:
    """Return the response that says so; it never repeats what the client sent."""
    title = HTTPStatus(status).phrase
    return Response.problem(status, title, detail=detail, retry_after=retry_after)


def last_words(status: int, detail: str) -> bytes:
    """Return a whole response after which the connection is closed."""
    response = problem(status, detail)
    body = response.body if isinstance(response.body, bytes) else b""
    length = (b"content-length", b"%d" % len(body))
    return response_head(status, [*response.headers.raw, length, CLOSE]) + body
