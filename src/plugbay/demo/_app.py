"""The sample upstream's ASGI application: what a gateway meets in real life, on a few paths."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from plugbay.demo._http import Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.demo._http import Message, Receive, Send

    Page = Callable[[Exchange, str], Awaitable[None]]

ECHO_LIMIT = 1 << 20
BYTES_LIMIT = 1 << 30
_BLOCK = b"0123456789abcdef" * 4096


class Demo:
    """Pages by their path's first segment; `/` lists them."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3)."""
        if scope["type"] == "websocket":
            await _echo_websocket(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        first, _, rest = exchange.path.removeprefix("/").partition("/")
        page = PAGES.get(first)
        try:
            if page is None:
                await exchange.json({"error": "no such page", "path": exchange.path}, 404)
            else:
                await page(exchange, rest)
        except ValueError as error:
            await exchange.json({"error": str(error)}, 400)
        except ConnectionError:
            return  # the client went away: there is nobody to answer
        finally:
            exchange.close()


async def _index(exchange: Exchange, rest: str) -> None:
    pages = {f"/{name}": (page.__doc__ or "").strip() for name, page in PAGES.items() if name}
    await exchange.json({"service": "Plugbay's sample upstream", "pages": pages})


async def _health(exchange: Exchange, rest: str) -> None:
    """200 while it runs"""
    await exchange.json({"status": "pass"})


async def _json(exchange: Exchange, rest: str) -> None:
    """a small JSON document"""
    items = [{"id": number, "name": f"item {number}"} for number in range(1, 4)]
    await exchange.json({"message": "hello from the sample upstream", "items": items})


async def _anything(exchange: Exchange, rest: str) -> None:
    """what was received: method, URL, headers and body"""
    body = bytearray()
    async for chunk in exchange.chunks():
        body += chunk
        if len(body) > ECHO_LIMIT:
            raise ValueError(f"the body is longer than {ECHO_LIMIT} bytes")
    await exchange.json(
        {
            "method": exchange.method,
            "url": exchange.url,
            "headers": exchange.headers,
            "body": body.decode("utf-8", "backslashreplace"),
        }
    )


async def _stream(exchange: Exchange, rest: str) -> None:
    """?chunks=10&delay=0.1: JSON lines, one at a time, in chunked coding"""
    chunks = int(exchange.number("chunks", 10, 100_000))
    delay = exchange.number("delay", 0.1, 60)
    await exchange.start(200, "application/x-ndjson")
    if exchange.method != "HEAD":
        for number in range(chunks):
            await exchange.send(json.dumps({"chunk": number}).encode() + b"\n", more=True)
            await exchange.pause(delay)
    await exchange.send(b"")


async def _sse(exchange: Exchange, rest: str) -> None:
    """?events=10&delay=0.5: server-sent events"""
    events = int(exchange.number("events", 10, 100_000))
    delay = exchange.number("delay", 0.5, 60)
    await exchange.start(200, "text/event-stream", ("cache-control", "no-cache"))
    if exchange.method != "HEAD":
        for number in range(events):
            event = f'id: {number}\nevent: tick\ndata: {{"tick": {number}}}\n\n'
            await exchange.send(event.encode(), more=True)
            await exchange.pause(delay)
    await exchange.send(b"")


async def _upload(exchange: Exchange, rest: str) -> None:
    """counts and hashes the body, of any length, without keeping it"""
    size, digest = 0, hashlib.sha256()
    async for chunk in exchange.chunks():
        size += len(chunk)
        digest.update(chunk)
    await exchange.json({"bytes": size, "sha256": digest.hexdigest()})


async def _bytes(exchange: Exchange, rest: str) -> None:
    """/bytes/N: N bytes, of known length"""
    size = int(rest)
    if not 0 <= size <= BYTES_LIMIT:
        raise ValueError(f"N is in 0..{BYTES_LIMIT}")
    await exchange.start(200, "application/octet-stream", ("content-length", str(size)))
    left = 0 if exchange.method == "HEAD" else size
    while left > len(_BLOCK):
        await exchange.send(_BLOCK, more=True)
        left -= len(_BLOCK)
    await exchange.send(_BLOCK[:left])


async def _status(exchange: Exchange, rest: str) -> None:
    """/status/N: an answer with the status code N"""
    status = int(rest)
    if not 200 <= status <= 599:
        raise ValueError("N is in 200..599")
    await exchange.json({"status": status}, status)


async def _delay(exchange: Exchange, rest: str) -> None:
    """/delay/S: an answer after S seconds"""
    seconds = float(rest)
    if not 0 <= seconds <= 60:
        raise ValueError("S is in 0..60")
    await exchange.pause(seconds)
    await exchange.json({"delay": seconds})


async def _websocket_hint(exchange: Exchange, rest: str) -> None:
    """a WebSocket that echoes"""
    fields = (("upgrade", "websocket"), ("connection", "upgrade"))
    await exchange.answer(426, "text/plain", b"open a WebSocket here\n", *fields)


PAGES: dict[str, Page] = {
    "": _index,
    "health": _health,
    "json": _json,
    "anything": _anything,
    "stream": _stream,
    "sse": _sse,
    "upload": _upload,
    "bytes": _bytes,
    "status": _status,
    "delay": _delay,
    "ws": _websocket_hint,
}


async def _echo_websocket(scope: Message, receive: Receive, send: Send) -> None:
    """Send each message back as it came, until the client closes."""
    await receive()  # websocket.connect
    if scope["path"] != "/ws":
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        echo: dict[str, Any] = {"type": "websocket.send"}
        text = message.get("text")
        echo |= {"bytes": message["bytes"]} if text is None else {"text": text}
        await send(echo)
