"""Mounted ASGI applications, over HTTP and over WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from unit.gateway.core.rig import GET, Rig, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.kernel import Generation

ROUTE = {"plugin": "app", "path": "/app"}


@contextlib.asynccontextmanager
async def mounted(app: Any) -> AsyncIterator[tuple[Rig, Generation]]:
    plugin = generation("app", app=app)
    async with rig(members=[member(plugin)], route=ROUTE) as gate:
        yield gate, plugin


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    text = f"{scope['method']} {scope['root_path']} {scope['path']} {scope['query_string']!r} "
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X-App", b"1")]})
    await send({"type": "http.response.body", "body": text.encode() + body})


def test_an_application_answers() -> None:
    async def main() -> None:
        async with mounted(echo) as (gate, plugin):
            client = await gate.connect()
            client.send(b"POST /app/a%20b?q HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello")
            status, fields, body = await client.response()
            assert (status, fields[b"x-app"]) == (201, b"1")
            assert body == b"POST /app /app/a b b'q' hello"
            assert fields[b"content-length"] == b"%d" % len(body)
            assert (await client.get("/app"))[0] == 201
            client.send(GET.replace(b"GET /", b"HEAD /app"))
            assert (await client.response(head=True))[0] == 201
            assert (await client.get("/app/again"))[0] == 201
            await until(lambda: plugin.in_flight == 0)
            assert plugin.dropped == 0

    asyncio.run(main())


def test_an_application_streams_with_back_pressure() -> None:
    async def main() -> None:
        sent = 0

        async def stream(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await send({"type": "http.response.start", "status": 200})
            for _ in range(400):
                await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": True})
                sent += 50_000
            await send({"type": "http.response.body"})

        async with mounted(stream) as (gate, _):
            client = await gate.connect()
            client.send(GET.replace(b"/", b"/app", 1))
            await client.head()
            (connection,) = gate.plane.connections
            await until(lambda: not connection.writable, 20)
            assert sent < 15_000_000  # it waits where it is until the client reads on
            assert len(await client.chunks()) == 20_000_000

    asyncio.run(main())


@pytest.mark.parametrize("when", ["before", "after", "short", "long", "never", "wrong"])
def test_an_application_that_fails(when: str) -> None:
    async def main() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if when == "before":
                raise RuntimeError("secret")
            if when == "never":
                return
            if when == "wrong":
                await send({"type": "http.response.body"})
            fields = [] if when == "after" else [(b"content-length", b"5")]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            data = b"123456" if when == "long" else b"123"
            await send({"type": "http.response.body", "body": data, "more_body": when == "after"})
            raise RuntimeError("secret")

        async with mounted(app) as (gate, plugin):
            client = await gate.connect()
            client.send(GET.replace(b"/", b"/app", 1))
            status, _ = await client.head()
            rest = await client.reader.read(1000)
            if when != "after":
                assert status == 500
                assert b"secret" not in rest
            else:
                rest += await client.ended()
                assert not rest.endswith(b"0\r\n\r\n")
            assert plugin.vitals.failures == 1

    asyncio.run(main())


def test_an_application_is_told_that_the_client_has_gone() -> None:
    async def main() -> None:
        told: list[object] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
                told.append("told")
            except asyncio.CancelledError:
                told.append("cancelled")
                raise

        async with mounted(app) as (gate, plugin):
            client = await gate.connect()
            client.send(GET.replace(b"/", b"/app", 1))
            await until(lambda: plugin.in_flight)
            await client.close()
            await until(lambda: told)
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


def test_an_application_that_does_not_run() -> None:
    async def main() -> None:
        async with mounted(echo) as (gate, plugin):
            plugin.instance = None
            client = await gate.connect()
            assert (await client.get("/app"))[0] == 503

    asyncio.run(main())


async def chat(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    if "refuse" in scope["path"]:
        await send({"type": "websocket.close"})
        return
    names = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": names[0] if names else None})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "bye"})
            return
        if message.get("text") == "fail":
            raise RuntimeError("broken")
        reply = {key: message[key] * 2 for key in ("text", "bytes") if message.get(key)}
        await send({"type": "websocket.send", **reply})


def test_an_application_speaks_websocket() -> None:
    async def main() -> None:
        async with mounted(chat) as (gate, plugin):
            url = f"ws://127.0.0.1:{gate.port}/app/ws"
            async with websockets.connect(url, subprotocols=["one", "two"]) as socket:
                assert socket.subprotocol == "one"
                await socket.send("hi")
                assert await socket.recv() == "hihi"
                await socket.send(b"x" * 500_000)
                assert len(await socket.recv()) == 1_000_000
                await socket.ping()
                assert plugin.in_flight == 1
            await until(lambda: plugin.in_flight == 0)
            async with websockets.connect(url) as socket:
                await socket.send("bye")
                with pytest.raises(websockets.ConnectionClosed):
                    await socket.recv()
                assert (socket.close_code, socket.close_reason) == (4000, "bye")
            async with websockets.connect(url) as socket:
                await socket.send("fail")
                with pytest.raises(websockets.ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 1011
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(f"ws://127.0.0.1:{gate.port}/app/refuse")
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"sec-websocket-version: 13\r\n", 400),
        (b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 8\r\n", 426),
    ],
)
def test_a_wrong_handshake(fields: bytes, status: int) -> None:
    async def main() -> None:
        async with mounted(chat) as (gate, _):
            client = await gate.connect()
            client.send(
                b"GET /app HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                + fields
                + b"\r\n"
            )
            assert (await client.response())[0] == status

    asyncio.run(main())


def test_a_client_that_breaks_the_websocket_protocol() -> None:
    async def main() -> None:
        async with mounted(chat) as (gate, plugin):
            client = await gate.connect()
            client.send(
                b"GET /app HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
            )
            assert (await client.head())[0] == 101
            client.send(b"\xff" * 10)
            assert (await client.ended())[:1] == b"\x88"
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())
