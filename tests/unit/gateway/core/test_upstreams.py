"""Towards upstreams: kept connections, retries, bounds, time-outs, framing."""

from __future__ import annotations

import asyncio
import socket

import pytest

from plugbay.gateway import Breaker, HealthCheck, OutlierDetection, Retries
from unit.gateway.core.rig import GET, OK, RawUpstream, rig, until

POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"
PUT = POST.replace(b"POST", b"PUT")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def unused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_connections_are_kept() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(5):
                assert (await client.get())[0] == 200
            client.send(POST)
            assert (await client.response())[0] == 200
            assert up.connections == 1
            series = gate.meter.upstream("u", up.address)
            assert (series.requests, series.connects) == (6, 1)

    asyncio.run(main())


@pytest.mark.parametrize(
    "response",
    [
        OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        OK + b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
    ],
)
def test_connections_that_are_not_clean_are_not_used_again(response: bytes) -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = response
            client = await gate.connect()
            for _ in range(3):
                assert (await client.get())[::2] == (200, b"ok")
            assert up.connections == 3

    asyncio.run(main())


class Stale(RawUpstream):
    """Answers one request on each connection, then ends it at the next."""

    def __init__(self) -> None:
        super().__init__(self.once)

    async def once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        writer.write(OK)
        await reader.readexactly(1)


@pytest.mark.parametrize(("request_", "status"), [(GET, 200), (PUT, 200), (POST, 502)])
def test_a_stale_connection_costs_idempotent_requests_nothing(request_: bytes, status: int) -> None:
    async def main() -> None:
        async with Stale().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            assert (await client.get())[0] == 200
            client.send(request_)
            assert (await client.response())[0] == status
            assert up.connections == (2 if status == 200 else 1)

    asyncio.run(main())


@pytest.mark.parametrize("request_", [GET, POST])
def test_another_target_takes_over_when_one_cannot_be_reached(request_: bytes) -> None:
    async def main() -> None:
        async with (
            RawUpstream().running() as up,
            rig(unused(), up.address, outlier=OutlierDetection(failures=0)) as gate,
        ):
            client = await gate.connect()
            for _ in range(4):
                client.send(request_)
                assert (await client.response())[0] == 200

    asyncio.run(main())


def test_a_target_that_fails_is_left_alone_for_a_while() -> None:
    async def main() -> None:
        dead = unused()
        async with (
            RawUpstream().running() as up,
            rig(dead, up.address, outlier=OutlierDetection(failures=2)) as gate,
        ):
            client = await gate.connect()
            for _ in range(20):
                assert (await client.get())[0] == 200
            series = gate.meter.upstream("u", dead)
            assert (series.connect_failures, series.ejections) == (2, 1)

    asyncio.run(main())


def test_no_target_can_be_reached() -> None:
    async def main() -> None:
        async with rig(unused()) as gate:
            client = await gate.connect()
            assert (await client.get())[0] == 502
            assert (await client.get())[0] == 502

    asyncio.run(main())


def test_statuses_are_retried_within_the_budget() -> None:
    async def main() -> None:
        bad, good = RawUpstream(), RawUpstream()
        bad.response = b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno"
        retries = Retries(attempts=1, budget=0, minimum=0.1)
        quiet = OutlierDetection(failures=0)
        async with (
            bad.running(),
            good.running(),
            rig(bad.address, good.address, retries=retries, outlier=quiet) as gate,
        ):
            client = await gate.connect()
            statuses = [(await client.get())[0] for _ in range(4)]
            assert statuses == [200, 503, 200, 503]  # one retry in ten seconds
            client.send(POST + POST)
            assert {(await client.response())[0] for _ in range(2)} == {200, 503}

    asyncio.run(main())


def test_too_many_requests_in_flight_are_refused_at_once() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            await reader.read()

        up = RawUpstream(silent)
        async with up.running(), rig(up.address, breaker=Breaker(max_requests=1)) as gate:
            first, second = await gate.connect(), await gate.connect()
            first.send(GET)
            await until(lambda: up.heads)
            assert (await second.get())[0] == 503
            await first.close()
            await up.closed.wait()
            await until(lambda: gate.pools.pools[0].in_flight == 0)

    asyncio.run(main())


def test_requests_wait_for_a_connection_within_bounds() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await up.read(reader)
                await go.wait()
                writer.write(OK)

        up = RawUpstream(slow)
        bounds = Breaker(max_connections=1, max_pending=1)
        async with up.running(), rig(up.address, breaker=bounds) as gate:
            clients = [await gate.connect() for _ in range(3)]
            clients[0].send(GET)
            await until(lambda: up.heads)
            clients[1].send(POST)
            pool = gate.pools.pools[0]
            await until(lambda: pool.waiting)
            assert (await clients[2].get())[0] == 503
            go.set()
            assert (await clients[0].response())[0] == 200
            assert (await clients[1].response())[0] == 200
            assert up.connections == 1
            assert up.bodies == [b"", b"hi"]

    asyncio.run(main())


def test_waiting_for_a_connection_ends() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            await reader.read()

        up = RawUpstream(silent)
        bounds = Breaker(max_connections=1)
        async with up.running(), rig(up.address, breaker=bounds, connect_timeout=2) as gate:
            first, second, third = [await gate.connect() for _ in range(3)]
            first.send(GET)
            await until(lambda: up.heads)
            assert (await second.get())[0] == 503
            third.send(GET)
            pool = gate.pools.pools[0]
            await until(lambda: pool.waiting)
            await first.close()
            await until(lambda: len(up.heads) == 2)
            assert (len(pool.waiting), pool.connections) == (0, 1)

    asyncio.run(main())


def test_an_upstream_that_is_silent_is_given_up() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            await reader.read()

        up = RawUpstream(silent)
        async with up.running(), rig(up.address, response_timeout=0.05) as gate:
            client = await gate.connect()
            assert (await client.get())[0] == 504
            await until(lambda: gate.pools.pools[0].connections == 0)
            assert gate.meter.upstream("u", up.address).timeouts == 1

    asyncio.run(main())


def test_a_response_that_stalls_is_cut() -> None:
    async def main() -> None:
        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nha")
            await reader.read()

        up = RawUpstream(stall)
        async with up.running(), rig(up.address, idle_timeout=0.05) as gate:
            client = await gate.connect()
            client.send(GET)
            assert (await client.head())[0] == 200
            assert await client.ended() == b"ha"

    asyncio.run(main())


def test_the_total_time_of_a_route_is_kept() -> None:
    async def main() -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.01)

        up = RawUpstream(drip)
        async with up.running(), rig(up.address, route={"total_timeout": 1.0}) as gate:
            client = await gate.connect()
            client.send(GET)
            assert (await client.head())[0] == 200
            assert not (await client.ended()).endswith(b"0\r\n\r\n")

    asyncio.run(main())


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
        b"hello\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
    ],
)
def test_a_response_that_is_not_clear_becomes_502(response: bytes) -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(response)
            await reader.read()

        up = RawUpstream(answer)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            status, _, _ = await client.get()
            while status < 200:
                status, _, _ = await client.response()
            assert status == 502

    asyncio.run(main())


def test_a_large_body_of_known_length_arrives_whole() -> None:
    async def main() -> None:
        body = bytes(range(256)) * 8192
        async with RawUpstream().running() as up, rig(up.address) as gate:
            up.response = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            client = await gate.connect()
            for _ in range(2):
                client.send(
                    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body
                )
                assert (await client.response())[2] == body
            assert up.bodies == [body, body]
            assert up.connections == 1

    asyncio.run(main())


def test_a_route_strips_its_prefix_and_names_the_upstream() -> None:
    async def main() -> None:
        route = {"path": "/api", "strip_prefix": True, "preserve_host": False}
        async with RawUpstream().running() as up, rig(up.address, route=route) as gate:
            client = await gate.connect()
            for path in ("/api/x?y=1", "/api", "/api?z"):
                assert (await client.get(path))[0] == 200
            targets = [head.split(b" ")[1] for head in up.heads]
            assert targets == [b"/x?y=1", b"/", b"/?z"]
            assert b"\r\nhost: " + up.address.encode() in up.heads[0]

    asyncio.run(main())


@pytest.mark.parametrize("on", ["client", "path", "header:x-user"])
def test_consistent_hashing_keeps_a_key_at_its_target(on: str) -> None:
    async def main() -> None:
        one, two = RawUpstream(), RawUpstream()
        async with (
            one.running(),
            two.running(),
            rig(one.address, two.address, balance="consistent-hash", hash_on=on) as gate,
        ):
            client = await gate.connect()
            for _ in range(6):
                assert (await client.get("/same", **{"x-user": "u"}))[0] == 200
            assert sorted((len(one.heads), len(two.heads))) == [0, 6]

    asyncio.run(main())


def test_health_checks_run_while_the_pool_is_used() -> None:
    async def main() -> None:
        async with (
            RawUpstream().running() as up,
            rig(up.address, health=HealthCheck(interval=0.02)) as gate,
        ):
            await until(lambda: len(up.heads) > 1)
            assert up.heads[0].startswith(b"GET /health ")
            assert gate.plane.table is not None
            gate.plane.table.retire()
            assert gate.pools.pools == ()

    asyncio.run(main())


def test_spare_connections_are_closed_in_time() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address, keepalive=0.05) as gate:
            client = await gate.connect()
            assert (await client.get())[0] == 200
            await asyncio.wait_for(up.closed.wait(), 100)
            await until(lambda: gate.pools.pools[0].connections == 0)

    asyncio.run(main())


def test_an_unasked_word_on_a_spare_connection_ends_it() -> None:
    async def main() -> None:
        async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(OK)
            await answered.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
            await reader.read()

        answered = asyncio.Event()
        up = RawUpstream(chatty)
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            assert (await client.get())[2] == b"ok"
            answered.set()
            await until(lambda: gate.pools.pools[0].connections == 0)

    asyncio.run(main())
