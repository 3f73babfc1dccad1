"""How connections of HTTP/2 end: idle, drained, swapped under, left by the client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from plugbay.gateway import ListenerLimits
from unit.gateway.core.rig import RawUpstream, generation, member, until
from unit.gateway.core.test_swaps import Held, swap
from unit.gateway.http2.client import ErrorCodes, connected, head, spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.sdk import Response
    from unit.gateway.core.rig import Rig
    from unit.gateway.http2.client import Http2Client

LAST = 2**31 - 1


@contextlib.asynccontextmanager
async def waiting() -> AsyncIterator[tuple[Rig, Held, Http2Client, int]]:
    """Run a data plane, a client of it, and the client's request, which waits for its upstream."""
    up = Held()
    async with up.running(), spoken(up.address) as (gate, client):
        id = client.request(head())
        await up.got.wait()
        yield gate, up, client, id


def test_a_drain_says_goodbye_and_lets_streams_end() -> None:
    async def main() -> None:
        async with waiting() as (gate, up, client, first):
            drained = asyncio.create_task(gate.plane.drain(5))
            await client.until(lambda: client.goaways)
            assert client.goaways == [(ErrorCodes.NO_ERROR, LAST)]
            # The client has not answered the ping behind it yet, as far as we know.
            second = client.request(head())
            await client.until(lambda: len(client.goaways) == 2)
            assert client.goaways[1] in ((0, first), (0, second))
            up.go.set()
            assert (await client.answer(first)).status == 200
            assert await drained == 0
            await client.until(lambda: client.closed)

    asyncio.run(main())


def test_what_comes_after_the_goodbye_was_never_begun() -> None:
    async def main() -> None:
        async with waiting() as (gate, up, client, first):
            drained = asyncio.create_task(gate.plane.drain(5))
            await client.until(lambda: len(client.goaways) == 2)
            late = await client.answer(client.request(head()))
            assert late.reset == ErrorCodes.REFUSED_STREAM
            up.go.set()
            assert (await client.answer(first)).status == 200
            assert await drained == 0
            assert len(up.heads) == 1

    asyncio.run(main())


def test_the_last_stream_may_end_by_a_reset() -> None:
    async def main() -> None:
        async with waiting() as (gate, _, client, id):
            drained = asyncio.create_task(gate.plane.drain(20))
            await client.until(lambda: len(client.goaways) == 2)
            client.machine.reset_stream(id, ErrorCodes.CANCEL)
            client.flush()
            await client.until(lambda: client.closed)
            assert await drained == 0

    asyncio.run(main())


def test_a_drain_cancels_at_its_deadline() -> None:
    async def main() -> None:
        async with waiting() as (gate, up, client, first):
            ids = [first, *(client.request(head()) for _ in range(2))]
            await until(lambda: len(up.heads) == 3)
            assert await gate.plane.drain(0.05) == 3
            answers = [await client.answer(id) for id in ids]
            assert [answer.status for answer in answers] == [503] * 3

    asyncio.run(main())


def test_an_idle_connection_is_left() -> None:
    async def main() -> None:
        up = RawUpstream()
        limits = ListenerLimits(idle_timeout=0.1)
        async with up.running(), spoken(up.address, limits=limits) as (gate, client):
            assert (await client.get()).status == 200
            await client.until(lambda: client.closed)
            assert [code for code, _ in client.goaways] == [0] * len(client.goaways)
            assert client.goaways[0] == (0, LAST)
            await until(lambda: not gate.plane.connections)

    asyncio.run(main())


def test_a_swap_leaves_streams_on_the_generation_that_they_began_with() -> None:
    async def main() -> None:
        def plugin(number: int):
            def on_response(request: object, response: Response) -> None:
                response.headers.set("x-generation", str(number))

            return generation("p", number, on_response=on_response)

        up = Held()
        one, two = plugin(1), plugin(2)
        async with up.running(), spoken(up.address, members=[member(one)]) as (gate, client):
            old = [client.request(head()) for _ in range(5)]
            await until(lambda: len(up.heads) == 5)
            swap(gate, up, two)
            new = [client.request(head()) for _ in range(5)]
            await until(lambda: len(up.heads) == 10)
            assert (one.in_flight, two.in_flight) == (5, 5)
            up.go.set()
            for ids, number in ((old, b"1"), (new, b"2")):
                for id in ids:
                    assert (await client.answer(id)).fields[b"x-generation"] == number
            await until(lambda: one.in_flight == two.in_flight == 0)
            assert one.dropped == 0

    asyncio.run(main())


def test_a_client_that_says_goodbye_gets_what_it_has_asked_for() -> None:
    async def main() -> None:
        async with waiting() as (gate, up, client, id):
            client.machine.close_connection()
            client.machine.ping(b"12345678")
            client.flush()
            await client.until(lambda: client.pongs)
            up.go.set()
            assert (await client.answer(id)).body == b"ok"
            await client.until(lambda: client.closed)
            await until(lambda: not gate.plane.connections)

    asyncio.run(main())


def test_a_client_that_vanishes_cancels_its_requests() -> None:
    async def main() -> None:
        up = Held()
        plugin = generation("p", on_request=lambda request: None)
        async with up.running(), spoken(up.address, members=[member(plugin)]) as (gate, client):
            for _ in range(3):
                client.request(head())
            await until(lambda: len(up.heads) == 3)
            client.writer.transport.abort()
            await until(lambda: plugin.in_flight == 0)
            await until(lambda: not gate.plane.connections)

    asyncio.run(main())


def test_closing_ends_all_at_once() -> None:
    async def main() -> None:
        async with waiting() as (gate, _, client, _), connected(gate):
            assert len(gate.plane.connections) == 2
            await gate.plane.close()
            await client.until(lambda: client.closed)

    asyncio.run(main())
