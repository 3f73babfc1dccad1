"""ASGI, as far as an endpoint needs it: reading a body, and answering whole or by events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from plugbay.mcp.serving._stream import Stream

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]

SOON = 1.0
"""Seconds without a message after which a response becomes a stream of events, if its client can
then come back for what it has missed: an answer as JSON is lost with its connection."""
QUIET = 10.0
"""The same for other clients, and between two comments that keep a stream open."""
_EVENTS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Gone(Exception):
    """The client has gone."""


class TooLarge(Exception):
    """The body is longer than allowed."""


class Call:
    """One HTTP request."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def body(self, limit: int) -> bytes:
        """Return the body. Raises `Gone` and `TooLarge`."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def answer(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        """Answer whole; a body is JSON."""
        fields = [(b"content-length", b"%d" % len(body)), *(headers or ())]
        if body:
            fields.append((b"content-type", b"application/json"))
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        await self._send({"type": "http.response.body", "body": body})

    async def stream(
        self,
        stream: Stream,
        status: Callable[[bytes], int],
        *,
        headers: Headers | None = None,
        events: bool = False,
    ) -> bool:
        """Answer with what a stream carries, until that is over or carried by another response;
        False if the client has gone before.

        One message is answered as JSON, unless `events`; more become a stream of events.
        """
        gone = asyncio.create_task(self._disconnected())
        try:
            return await self._pour(stream, status, headers or [], gone, events=events)
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _pour(
        self,
        stream: Stream,
        status: Callable[[bytes], int],
        headers: Headers,
        gone: asyncio.Task[None],
        *,
        events: bool,
    ) -> bool:
        begun, reader = False, stream.attach()
        if events:
            await self._begin(headers, stream)
            begun = True
        while True:
            seconds = SOON if stream.resumable and not begun else QUIET
            found = await self._next(stream, gone, reader, seconds)
            if stream.reader != reader:  # the client has come back by another request
                if begun:
                    await self._part(b"", more=False)
                return True
            if gone.done():
                if found is not None and begun and found[0]:
                    stream.event_id(found[0])  # kept, for it was not written
                return False
            if found is not None and found[1] and not begun:
                raw = found[0]
                await self.answer(status(raw) if raw else 202, raw, headers)
                return True
            if not begun:
                await self._begin(headers, stream)
                begun = True
            if found is None:
                await self._part(b":\n\n")
                continue
            raw, last = found
            if raw:
                event = stream.event_id(raw) + b"event: message\ndata: " + raw + b"\n\n"
                await self._part(event, more=not last)
            if last:
                if not raw:
                    await self._part(b"", more=False)
                return True

    async def _next(
        self, stream: Stream, gone: asyncio.Task[None], reader: int, seconds: float
    ) -> tuple[bytes, bool] | None:
        task = asyncio.create_task(stream.next(seconds, reader))
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            return None
        return task.result()

    async def _begin(self, headers: Headers, stream: Stream) -> None:
        fields = [*_EVENTS, *headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": fields})
        if prime := stream.begin():
            await self._part(prime)

    async def _part(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
