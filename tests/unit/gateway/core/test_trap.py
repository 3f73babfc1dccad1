"""Clients that are held by a slow body: out of the exchange, within bounds, let go at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plugbay.gateway.downstream._trap import Trap
from plugbay.sdk import Drip, Request, Response
from unit.gateway.core.rig import GET, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plugbay.gateway import HttpDataPlane

NOWHERE = "127.0.0.1:9"


class Holder:
    """A plugin that answers every request with a drip."""

    def __init__(self, **drip: object) -> None:
        self._options = {"interval": 0.1, "seconds": 30.0, "most": 5, "per_client": 5, **drip}
        self.drips: list[Drip] = []
        self.ended: list[Drip] = []
        self.plugin = generation("tarpit", on_request=self.on_request)

    def on_request(self, request: Request) -> Response:
        drip = Drip(ended=self.ended.append, **self._options)  # type: ignore[arg-type]  # by name
        self.drips.append(drip)
        return Response(200, {"content-type": "text/html"}, drip)


@asynccontextmanager
async def holding(holder: Holder) -> AsyncIterator[tuple[Callable[..., object], HttpDataPlane]]:
    async with rig(NOWHERE, members=[member(holder.plugin)]) as gate:
        yield gate.connect, gate.plane


def test_a_held_client_gets_a_head_and_then_a_byte_now_and_then() -> None:
    async def main() -> None:
        holder = Holder()
        async with holding(holder) as (connect, plane):
            client = await connect()
            client.send(GET)
            status, fields = await client.head()
            assert (status, fields[b"transfer-encoding"]) == (200, b"chunked")
            assert fields[b"connection"] == b"close"
            async with asyncio.timeout(100):
                assert await client.reader.readexactly(12) == b"1\r\n \r\n" * 2
            assert plane.trap.held == 1
            await until(lambda: not plane.connections)
            assert holder.plugin.in_flight == 0  # a reload waits for nobody who is held
            holder.drips[0].release()
            async with asyncio.timeout(100):
                await client.reader.read()
            assert holder.ended == holder.drips
            assert plane.trap.held == 0
            client.writer.close()

    asyncio.run(main())


def test_it_ends_by_itself_and_when_the_client_has_gone() -> None:
    async def main() -> None:
        holder = Holder(seconds=0.3)
        async with holding(holder) as (connect, plane):
            patient = await connect()
            patient.send(GET)
            await patient.head()
            async with asyncio.timeout(100):
                await patient.reader.read()
            await until(lambda: len(holder.ended) == 1)
            patient.writer.close()
        holder = Holder()
        async with holding(holder) as (connect, plane):
            impatient = await connect()
            impatient.send(GET)
            await impatient.head()
            impatient.writer.transport.abort()
            await until(lambda: plane.trap.held == 0)
            assert len(holder.ended) == 1

    asyncio.run(main())


def test_beyond_the_bounds_a_client_gets_a_whole_response() -> None:
    async def main() -> None:
        holder = Holder(per_client=2)
        async with holding(holder) as (connect, plane):
            held = []
            for _ in range(2):
                client = await connect()
                client.send(GET)
                await client.head()
                held.append(client)
            other = await connect()
            other.send(GET)
            status, _, body = await other.response()
            assert (status, body) == (200, b"")
            assert (plane.trap.held, plane.trap.refused, len(holder.ended)) == (2, 1, 1)
            other.send(GET)  # the connection is kept
            assert (await other.response())[2] == b""
            other.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (await other.response(head=True))[0] == 200
            plane.trap.close()
            await until(lambda: len(holder.ended) == len(holder.drips))
            other.send(GET)
            assert (await other.response())[2] == b""
            for client in (*held, other):
                client.writer.close()

    asyncio.run(main())


def test_a_request_whose_body_still_comes_is_held_as_well() -> None:
    async def main() -> None:
        holder = Holder()
        async with holding(holder) as (connect, plane):
            client = await connect()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc")
            assert (await client.head())[0] == 200
            async with asyncio.timeout(100):
                assert await client.reader.readexactly(6) == b"1\r\n \r\n"
            client.send(b"more")
            await until(lambda: not plane.connections)
            assert plane.trap.held == 1
            client.writer.close()

    asyncio.run(main())


def test_descriptors_are_left_for_others() -> None:
    trap = Trap()
    trap._limit = 100
    drip = Drip(most=1000, per_client=1000)
    assert trap.admits(drip, "a", 74)
    assert not trap.admits(drip, "a", 75)
    trap.held = 50
    assert not trap.admits(drip, "a", 0)


def test_a_drip_is_a_body_like_any_other_where_it_cannot_be_held() -> None:
    async def main() -> None:
        ended: list[Drip] = []
        drip = Drip(interval=0.01, seconds=0.03, data=b"x", ended=ended.append)
        assert b"".join([data async for data in drip]) == b"xxx"
        assert ended == [drip]
        drip = Drip(interval=60, ended=ended.append)
        chunks = aiter(drip)
        assert await anext(chunks) == b" "
        drip.release()
        async with asyncio.timeout(100):
            assert [data async for data in chunks] == []
        assert ended[1:] == [drip]

    asyncio.run(main())
