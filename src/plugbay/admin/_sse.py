"""Server-sent events (WHATWG HTML, 9.2): encoding, and heartbeats while nothing happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": heartbeat\n\n"


def encode(event: str, data: object, *, id_: int | str = "") -> bytes:
    """One event; its data is one line of JSON, which has no line break inside."""
    identity = f"id: {id_}\n" if id_ != "" else ""
    return f"{identity}event: {event}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def with_heartbeat(events: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """Yield `events`, and a comment after each `seconds` without one.

    The comments keep proxies from closing the stream, and show us a client that has gone.
    """
    upcoming: asyncio.Task[bytes] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({upcoming}, timeout=seconds)
            if not done:
                yield HEARTBEAT
                continue
            event, upcoming = upcoming.result(), None
            if not event:
                return
            yield event
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


async def _next(events: AsyncIterator[bytes]) -> bytes:
    """The next event, or nothing at the end: a task may not raise StopAsyncIteration."""
    return await anext(events, b"")


def accepts_events(accept: str) -> bool:
    """Whether the Accept header asks for an event stream."""
    return any(part.split(";")[0].strip() == MEDIA_TYPE for part in accept.lower().split(","))
