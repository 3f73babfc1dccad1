"""A client of HTTP/1.1 whose responses may be streams without an end (RFC 9112)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

CHUNK = 256 * 1024
SPARE = 16
CONNECT_SECONDS = 5.0


class HttpResponse:
    """A response whose head has come; `chunks` is its body."""

    def __init__(self, client: HttpClient, connection: _Connection) -> None:
        self._client, self._connection = client, connection
        self.status = connection.status
        self.headers = connection.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises `OSError` if it breaks off."""
        async for chunk in self._connection.body():
            yield chunk

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `OSError`, also if it is longer than `limit`."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise OSError(f"the response is longer than {limit} bytes")
            parts.append(chunk)
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._client.give_back(self._connection)


class HttpClient:
    """Keeps connections to one address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._tls = ssl.create_default_context() if secure else None
        self._authority = parts.netloc.rpartition("@")[2]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._spare: list[_Connection] = []

    async def request(
        self, method: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpResponse:
        """Send a request and wait for the response's head. Raises `OSError`, `TimeoutError`."""
        lines = [f"{method} {self._target} HTTP/1.1", f"host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if method == "POST":
            lines.append(f"content-length: {len(body)}")
        data = "\r\n".join((*lines, "", "")).encode("latin-1") + body
        connection = await self._connection()
        try:
            connection.writer.write(data)
            await connection.writer.drain()
            await connection.head()
        except BaseException:
            connection.close()
            raise
        return HttpResponse(self, connection)

    def give_back(self, connection: _Connection) -> None:
        """Keep a connection that may be used again."""
        if connection.reusable and len(self._spare) < SPARE:
            self._spare.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is spare."""
        for connection in self._spare:
            connection.close()
        self._spare.clear()

    async def _connection(self) -> _Connection:
        while self._spare:
            spare = self._spare.pop()
            if not spare.reader.at_eof() and not spare.writer.is_closing():
                spare.renew()
                return spare
            spare.close()
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return _Connection(reader, writer)


class _Connection:
    """One connection, and the response that it carries now."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.renew()

    def renew(self) -> None:
        """Expect another response."""
        self._parser: Any = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self._parts: deque[bytes] = deque()
        self._headed = self._done = False

    @property
    def reusable(self) -> bool:
        """Whether the response is over, and nothing forbids another."""
        return self._done and bool(self._parser.should_keep_alive())

    async def head(self) -> None:
        """Wait for the head."""
        while not self._headed:
            await self._more()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield what comes."""
        while True:
            while self._parts:
                yield self._parts.popleft()
            if self._done:
                return
            await self._more()

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError, RuntimeError):
            self.writer.transport.abort()

    async def _more(self) -> None:
        data = await self.reader.read(CHUNK)
        if not data:
            framed = "content-length" in self.headers or "transfer-encoding" in self.headers
            if not self._headed or framed:
                raise ConnectionResetError("the server has closed the connection")
            self._done = True
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise OSError(f"the server's answer is no HTTP: {error}") from None

    # --- for the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip(" \t")

    def on_headers_complete(self) -> None:
        """The head is there, unless it was an interim one."""
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._headed = True
        else:
            self.headers.clear()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._done = self.status >= 200
