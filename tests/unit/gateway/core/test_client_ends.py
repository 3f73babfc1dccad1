"""How connections of clients end: time-outs, limits, and clients that leave."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway import ListenerLimits
from unit.gateway.core.rig import GET, POST, RawUpstream, rig, until


@pytest.mark.parametrize("size", [100_000, 50_000_000])
def test_an_early_response_ends_an_upload(size: int) -> None:
    async def main() -> None:
        async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno")
            await reader.readexactly(200_000)

        up = RawUpstream(early)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(POST.replace(b": 5", b": %d" % size))
            assert (await client.response())[::2] == (401, b"no")
            await until(lambda: gate.pools.pools[0].connections == 0)
            if size == 100_000:
                client.send(b"x" * size + GET)
                assert (await client.response())[0] == 401
            else:
                assert await client.ended() == b""

    asyncio.run(main())


def test_time_outs_of_a_client() -> None:
    async def main() -> None:
        limits = ListenerLimits(head_timeout=0.05, idle_timeout=0.5, body_timeout=0.05)
        async with RawUpstream().running() as up, rig(up.address, limits=limits) as gate:
            slow = await gate.connect()
            slow.send(GET[:10])
            assert (await slow.response())[0] == 408
            stuck = await gate.connect()
            stuck.send(POST + b"he")
            assert (await stuck.response())[0] == 408
            idle = await gate.connect()
            assert await stuck.ended() == b""
            assert await idle.ended() == b""
            await until(lambda: not gate.plane.connections)
            assert all(
                target.state.failures == 0 for target in gate.pools.pools[0].targets.values()
            )

    asyncio.run(main())


def test_a_client_that_does_not_read_is_ended_and_memory_is_bounded() -> None:
    async def main() -> None:
        sent = 0

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await up.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
            for _ in range(2000):
                writer.write(b"x" * 100_000)
                await writer.drain()
                sent += 100_000

        up = RawUpstream(flood)
        limits = ListenerLimits(body_timeout=0.2)
        async with up.running(), rig(up.address, limits=limits) as gate:
            client = await gate.connect()
            client.send(GET)
            await client.head()
            await until(lambda: not gate.plane.connections)
            assert sent < 50_000_000
            await asyncio.wait_for(up.closed.wait(), 100)

    asyncio.run(main())


def test_a_client_that_leaves_cancels_its_request() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            await reader.read()

        up = RawUpstream(silent)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(GET)
            await until(lambda: up.heads)
            await client.close()
            await asyncio.wait_for(up.closed.wait(), 100)
            await until(lambda: gate.meter.route("r").requests == {("GET", 0): 1})

    asyncio.run(main())


def test_there_are_only_so_many_connections() -> None:
    async def main() -> None:
        limits = ListenerLimits(max_connections=1)
        async with RawUpstream().running() as up, rig(up.address, limits=limits) as gate:
            first, second = await gate.connect(), await gate.connect()
            assert (await second.response())[0] == 503
            assert await second.ended() == b""
            assert (await first.get())[0] == 200

    asyncio.run(main())


def test_nothing_behind_a_refused_head_is_read_when_the_client_has_gone() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            await gate.connect()
            await until(lambda: bool(gate.plane.connections))
            (connection,) = gate.plane.connections
            connection.transport.abort()  # what was read before is handed over nevertheless
            connection.data_received(b"GET /n HTTP/1.1\r\nno-host: a\r\n\r\n" + GET)
            assert connection.exchange is None
            await until(lambda: not gate.plane.connections)
            assert up.heads == []

    asyncio.run(main())
