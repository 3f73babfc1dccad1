"""The response that travels back through a chain to the client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from plugbay.sdk._headers import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from plugbay.sdk._headers import RawHeaders


class Response:
    """A response: one that a filter answers with, or the upstream's on its way back.

    `body` is the bytes that a plugin answers with, an async iterable of chunks, or a `Drip`; it is
    None for an upstream's response, whose body streams past and is open to a `BodyFilter` only.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        headers: Headers | Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] | None = b"",
    ) -> None:
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers.of(headers or {})
        self.body = body

    @classmethod
    def received(cls, status: int, raw: RawHeaders) -> Self:
        """Make one of what a data plane has read, whose body streams past."""
        self = cls.__new__(cls)
        self.status = status
        self.headers = headers = Headers.__new__(Headers)
        headers.raw = raw
        self.body = None
        return self

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        """Answer with `value` as JSON (RFC 8259)."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status, {"content-type": "application/json"}, body)

    @classmethod
    def text(cls, text: str, status: int = 200) -> Response:
        """Answer with plain text in UTF-8."""
        return cls(status, {"content-type": "text/plain; charset=utf-8"}, text.encode())

    @classmethod
    def problem(
        cls,
        status: int,
        title: str,
        *,
        detail: str = "",
        type: str = "about:blank",
        retry_after: float | None = None,
        **extensions: object,
    ) -> Response:
        """Answer with problem details (RFC 9457); `retry_after` is in seconds."""
        content: dict[str, object] = {"type": type, "title": title, "status": status}
        if detail:
            content["detail"] = detail
        fields = {"content-type": "application/problem+json"}
        if retry_after is not None:
            fields["retry-after"] = str(max(0, -int(-retry_after // 1)))
        body = json.dumps({**content, **extensions}, separators=(",", ":")).encode()
        return cls(status, fields, body)

    def __repr__(self) -> str:
        return f"<Response {self.status}>"
