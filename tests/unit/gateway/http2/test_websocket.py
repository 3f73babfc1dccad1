"""WebSocket over HTTP/2 (RFC 8441): the extended CONNECT, to upstreams and to applications."""

from __future__ import annotations

import asyncio
from typing import Any

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage

from plugbay.gateway import ListenerLimits
from unit.gateway.core.rig import GET, RawUpstream, generation, member, until
from unit.gateway.core.test_apps import chat
from unit.gateway.http2.client import ErrorCodes, Fields, Http2Client, head, spoken

SWITCH = (
    b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n"
)


def handshake(path: bytes = b"/", *fields: tuple[bytes, bytes]) -> Fields:
    return [
        *head(b"CONNECT", path),
        (b":protocol", b"websocket"),
        (b"sec-websocket-version", b"13"),
        *fields,
    ]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Switch, then send back what comes."""
    found = await reader.readuntil(b"\r\n\r\n")
    assert found.startswith(b"GET / HTTP/1.1\r\n")
    assert b"upgrade: websocket\r\n" in found
    assert found.count(b"sec-websocket-key: ") == 1
    writer.write(SWITCH + b"sec-websocket-protocol: p\r\n\r\n")
    while data := await reader.read(65_536):
        writer.write(data)


async def opened(client: Http2Client, id: int) -> dict[bytes, bytes]:
    answer = client.answers[id]
    await client.until(lambda: answer.fields or answer.reset is not None)
    return answer.fields


def test_bytes_go_both_ways_through_an_upstream() -> None:
    async def main() -> None:
        async with RawUpstream(echo).running() as up, spoken(up.address) as (_, client):
            id = client.request(handshake(), end=False)
            client.send(id, b"early ")
            fields = await opened(client, id)
            assert fields[b":status"] == b"200"
            assert fields[b"sec-websocket-protocol"] == b"p"
            assert not fields.keys() & {b"upgrade", b"connection", b"sec-websocket-accept"}
            await client.upload(id, 1_000_000, end=False)
            answer = client.answers[id]
            await until(lambda: len(answer.body) >= 1_000_006)
            client.send(id, b"", end=True)
            assert answer.body.startswith(b"early u")
            assert await client.answer(id) is answer
            assert answer.ended

    asyncio.run(main())


def test_an_application_speaks_websocket() -> None:
    async def main() -> None:
        plugin = generation("app", app=chat)
        route = {"plugin": "app", "path": "/app"}
        async with spoken(members=[member(plugin)], route=route) as (_, client):
            id = client.request(handshake(b"/app"), end=False)
            assert (await opened(client, id))[b":status"] == b"200"
            socket = Connection(ConnectionType.CLIENT)
            got: list[Event] = []
            answer = client.answers[id]

            async def receive() -> Event:
                while not got:
                    await client.until(lambda: answer.body)
                    data, answer.body = answer.body, b""
                    socket.receive_data(data)
                    got.extend(socket.events())
                return got.pop(0)

            for sent in (TextMessage("hello"), BytesMessage(b"\0\1")):
                client.send(id, socket.send(sent))
                assert isinstance(await receive(), TextMessage | BytesMessage)
            client.send(id, socket.send(CloseConnection(code=1000)))
            while not isinstance(await receive(), CloseConnection):
                pass
            await client.answer(id)
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


def test_an_upstream_that_does_not_switch_is_told_of() -> None:
    async def main() -> None:
        up = RawUpstream()
        up.response = b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno"
        async with up.running(), spoken(up.address) as (_, client):
            answer = await client.answer(client.request(handshake(), end=False))
            assert (answer.status, answer.body) == (403, b"no")

    asyncio.run(main())


def test_a_tunnel_ends_with_either_side_and_when_it_is_idle() -> None:
    async def main() -> None:
        limits = ListenerLimits(tunnel_idle=1.0)
        async with (
            RawUpstream(echo).running() as up,
            spoken(up.address, limits=limits) as (gate, client),
        ):
            ids = [client.request(handshake(), end=False) for _ in range(2)]
            for id in ids:
                assert await opened(client, id)
            client.machine.reset_stream(ids[0], ErrorCodes.CANCEL)
            client.flush()
            answer = await client.answer(ids[1])
            assert answer.reset == ErrorCodes.INTERNAL_ERROR
            await until(lambda: not any(c.in_flight() for c in gate.plane.connections))

    asyncio.run(main())


def test_a_handshake_is_no_body_that_is_waited_for() -> None:
    async def main() -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.3)  # longer than a client may rest in a body
            await echo(reader, writer)

        limits = ListenerLimits(body_timeout=0.05)
        async with (
            RawUpstream(slow).running() as up,
            spoken(up.address, limits=limits) as (_, client),
        ):
            id = client.request(handshake(), end=False)
            assert (await opened(client, id))[b":status"] == b"200"
            client.send(id, b"hello")
            await client.until(lambda: client.answers[id].body == b"hello")

    asyncio.run(main())


def test_what_comes_for_a_tunnel_that_is_none_is_no_request() -> None:
    async def main() -> None:
        up = RawUpstream()
        route = {"websocket": False}
        async with up.running(), spoken(up.address, route=route) as (_, client):
            id = client.request(handshake(), end=False)
            client.send(id, GET + GET)
            assert (await client.answer(id)).status == 200
            late = client.request(handshake(), end=False)
            await client.until(lambda: client.answers[late].fields)
            assert len(up.heads) == 2
            assert not any(b"upgrade" in found for found in up.heads)
            assert (await client.get()).status == 200
            assert len(up.heads) == 3

    asyncio.run(main())


def test_other_protocols_are_refused() -> None:
    async def main() -> None:
        async with spoken("127.0.0.1:9") as (_, client):
            fields: Any = [*head(b"CONNECT"), (b":protocol", b"connect-udp")]
            assert (await client.answer(client.request(fields, end=False))).status == 501
            plain = [(b":method", b"CONNECT"), (b":authority", b"a:1")]
            assert (await client.answer(client.request(plain, end=False))).status == 501

    asyncio.run(main())
