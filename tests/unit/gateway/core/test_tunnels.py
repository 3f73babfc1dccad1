"""Upgrades: bytes go both ways until one side ends, or nothing comes for too long."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway import ListenerLimits
from unit.gateway.core.rig import CHUNKED, GET, POST, RawUpstream, rig, until


def test_bytes_are_tunnelled_after_an_upgrade() -> None:
    async def main() -> None:
        async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n"
                b"upgrade: WebSocket\r\nsec-websocket-accept: x\r\n\r\nhello"
            )
            while data := await reader.read(65536):
                writer.write(data[::-1])

        up = RawUpstream(switch)
        upgrade = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(upgrade + b"abc")
            status, fields = await client.head()
            assert (status, fields[b"upgrade"]) == (101, b"websocket")
            assert await client.reader.readexactly(8) == b"hellocba"
            client.send(b"xyz")
            assert await client.reader.readexactly(3) == b"zyx"
            assert b"upgrade: websocket" in up.heads[0]
            assert gate.plane.table is not None
            await client.close()
            await asyncio.wait_for(up.closed.wait(), 100)

    asyncio.run(main())


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_a_tunnel_ends_when_it_is_idle(who: str) -> None:
    """Bytes of either side keep it."""

    async def main() -> None:
        say = asyncio.Event()

        async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            await say.wait()
            writer.write(b"said")
            await reader.read()

        up = RawUpstream(switch)
        limits = ListenerLimits(tunnel_idle=1.0)
        async with up.running(), rig(up.address, limits=limits) as gate:
            client = await gate.connect()
            client.send(GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n")
            assert (await client.head())[0] == 101
            (connection,) = gate.plane.connections
            before, ticker = connection.deadline, gate.plane.ticker
            now = ticker.now
            assert now < before < now + 2
            await until(lambda: ticker.now > now)
            if who == "client":
                client.send(b"hello")
            else:
                say.set()
                assert await client.reader.readexactly(4) == b"said"
            await until(lambda: connection.deadline > before)
            assert await client.ended() == b""
            assert ticker.now >= before
            await asyncio.wait_for(until_closed(up, say), 100)
            await until(lambda: not gate.pools.pools[0].in_flight)

    async def until_closed(up: RawUpstream, say: asyncio.Event) -> None:
        say.set()
        await up.closed.wait()

    asyncio.run(main())


def test_a_tunnel_may_have_no_time_out() -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        up = RawUpstream()
        up.response = answer
        limits = ListenerLimits(tunnel_idle=0)
        async with up.running(), rig(up.address, limits=limits) as gate:
            client = await gate.connect()
            client.send(GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n")
            assert (await client.head())[0] == 101
            (connection,) = gate.plane.connections
            assert connection.deadline == float("inf")

    asyncio.run(main())


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_other_upgrades_and_those_with_a_body_are_ignored(protocol: bytes) -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            fields = b"connection: upgrade\r\nupgrade: " + protocol + b"\r\n\r\n"
            client.send(POST[:-2] + fields + b"hello")
            assert (await client.response())[0] == 200
            client.send(CHUNKED[:-2] + fields + b"5\r\nhello\r\n0\r\n\r\n" + GET)
            assert (await client.response())[0] == 200
            assert (await client.response())[0] == 200
            assert up.bodies == [b"hello", b"hello", b""]
            assert b"upgrade" not in b"".join(up.heads)

    asyncio.run(main())
