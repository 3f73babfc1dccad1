"""One HTTP exchange of the sample upstream, over ASGI 3."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class Exchange:
    """A request to read and a response to send."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._gone: asyncio.Task[None] | None = None
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1")))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header fields, in order."""
        raw: list[tuple[bytes, bytes]] = self._scope["headers"]
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]

    @property
    def url(self) -> str:
        """The target as received."""
        query = self._scope["query_string"].decode("latin-1")
        return f"{self._scope['raw_path'].decode('latin-1')}{'?' if query else ''}{query}"

    def number(self, name: str, default: float, highest: float) -> float:
        """Return a parameter of the query. Raises `ValueError` if it is not in 0..highest."""
        value = float(self.query.get(name, default))
        if not 0 <= value <= highest:
            raise ValueError(f"{name} is in 0..{highest:g}")
        return value

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it arrives. Raises `ConnectionError` if it is cut short."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client went away")
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def pause(self, seconds: float) -> None:
        """Wait. Raises `ConnectionError` as soon as the client has gone away."""
        if self._gone is None:
            self._gone = asyncio.create_task(self._watch())
        done, _ = await asyncio.wait((self._gone,), timeout=seconds)
        if done:
            raise ConnectionError("the client went away")

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def close(self) -> None:
        """Stop watching the client."""
        if self._gone is not None:
            self._gone.cancel()

    async def start(self, status: int, content_type: str, *fields: tuple[str, str]) -> None:
        """Send the head of a response."""
        named = (("content-type", content_type), *fields) if content_type else fields
        headers = [(name.encode(), value.encode("latin-1")) for name, value in named]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes, *, more: bool = False) -> None:
        """Send a part of the body; waits while the client does not read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(
        self, status: int, content_type: str, body: bytes, *fields: tuple[str, str]
    ) -> None:
        """Send a whole response. HEAD gets its head only (RFC 9110, 9.3.2)."""
        length = ("content-length", str(len(body)))
        bodiless = status < 200 or status in (204, 304)
        await self.start(status, content_type, *(() if bodiless else (length,)), *fields)
        await self.send(b"" if bodiless or self.method == "HEAD" else body)

    async def json(self, value: object, status: int = 200) -> None:
        """Answer with JSON."""
        await self.answer(status, "application/json", json.dumps(value).encode())
