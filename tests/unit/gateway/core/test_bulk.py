"""Large bodies of known length, on the event loop that workers have: whole, in order, unmixed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
import uvloop

from plugbay.gateway import Breaker
from plugbay.sdk import Response
from unit.gateway.core.rig import GET, OK, RawUpstream, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from plugbay.sdk import Request

    Run = Callable[[Coroutine[object, object, None]], None]

MIB = 1 << 20
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
OCTETS = hashlib.shake_128(b"body").digest(4 * MIB)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a test on each loop: they treat protocols and what could not be written differently."""

    def go(work: Coroutine[object, object, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(work)

    return go


def body(seed: int, size: int) -> bytes:
    return OCTETS[seed * 101 : seed * 101 + size]


def whole(data: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data) + data


def post(data: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(data) + data


class Mirror(RawUpstream):
    """Answers each request with its body."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(whole(await self.read(reader)))
            await writer.drain()


def test_bodies_cross_whole_whoever_is_slow(run: Run) -> None:
    """The buffer is shared: what a client has not taken yet must not change under it."""

    async def main() -> None:
        async with Mirror().running() as up, rig(up.address) as gate:
            clients = [await gate.connect() for _ in range(5)]
            for size in (3 * MIB, 10, 700_000, 0, 100_000, MIB):
                for seed, client in enumerate(clients):
                    client.send(post(body(seed, size + seed)))
                # Nobody reads the last one's answer but its socket until the others have theirs.
                for seed, client in enumerate(clients):
                    status, _, answer = await client.response()
                    assert (status, answer) == (200, body(seed, size + seed))
            assert up.connections == len(clients)

    run(main())


def test_requests_behind_a_large_body_wait_for_their_turn(run: Run) -> None:
    async def main() -> None:
        async with Mirror().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            sizes = (MIB, 5, 300_000, 2 * MIB, 0, 900_000)
            client.send(b"".join(post(body(size, size)) for size in sizes))
            for size in sizes:
                assert (await client.response())[2] == body(size, size)
            assert up.bodies == [body(size, size) for size in sizes]

    run(main())


def test_a_large_response_passes_the_hooks_and_one_that_is_replaced_does_not_come(run: Run) -> None:
    def on_response(request: Request, response: Response) -> Response | None:
        response.headers.add("x-seen", request.target.decode())
        return Response(200, body=b"instead") if request.path == "/instead" else None

    async def main() -> None:
        hooked = [member(generation("p", on_response=on_response))]
        async with RawUpstream().running() as up, rig(up.address, members=hooked) as gate:
            up.response = whole(body(3, 2 * MIB))
            client = await gate.connect()
            for path in ("/a", "/b", "/instead", "/c"):
                status, fields, answer = await client.get(path)
                assert status == 200
                if path == "/instead":
                    assert answer == b"instead"
                else:
                    assert fields[b"x-seen"] == path.encode()
                    assert answer == body(3, 2 * MIB)

    run(main())


def test_bytes_behind_a_large_response_end_the_connection(run: Run) -> None:
    """They must not be taken for the next response, also if its request waits for a connection."""

    async def main() -> None:
        up = RawUpstream()
        breaker = Breaker(max_connections=1)
        async with up.running(), rig(up.address, breaker=breaker) as gate:
            first, second = await gate.connect(), await gate.connect()
            for size in (MIB, 100_000, 0):
                up.response = whole(body(1, MIB))
                assert len((await first.get())[2]) == MIB  # from now on it reads in bulk
                made = up.connections
                forged = OK.replace(b"ok", b"no")
                up.response = whole(body(2, size)) + forged * 2000
                first.send(GET)
                second.send(GET)
                assert (await first.response())[2] == body(2, size)
                up.response = OK
                status, _, answer = await second.response()
                assert answer in (b"ok", body(2, size)) or status >= 500
                assert up.connections > made

    run(main())


@pytest.mark.parametrize("gone", ["client", "upstream"])
def test_who_goes_away_in_the_midst_ends_the_exchange(run: Run, gone: str) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up.read(reader)
        writer.write(whole(body(1, 3 * MIB))[: 2 * MIB])
        await writer.drain()
        if gone == "client":
            await reader.read()

    up = RawUpstream(half)

    async def main() -> None:
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            client.send(GET)
            status, fields = await client.head()
            assert (status, fields[b"content-length"]) == (200, b"%d" % (3 * MIB))
            if gone == "client":
                await client.close()
            else:
                rest = await client.ended()
                assert body(1, 3 * MIB).startswith(rest)
                assert len(rest) < 3 * MIB
            async with asyncio.timeout(100):
                await up.closed.wait()
            await until(lambda: not any(pool.in_flight for pool in gate.pools.pools))
            await until(lambda: not gate.plane.connections)

    run(main())
