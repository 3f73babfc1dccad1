"""Tables and chains: swaps, drains, parking, and the counts that receipts are made of."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from plugbay.gateway import RouteSpec, Target, UpstreamSpec
from plugbay.kernel import DependencyProblem, Invalid
from plugbay.sdk import Order, Request, Response
from unit.gateway.core.rig import GET, OK, RawUpstream, Rig, generation, member, rig, until

if TYPE_CHECKING:
    from plugbay.kernel import Generation


class Held(RawUpstream):
    """Answers when it may."""

    def __init__(self) -> None:
        super().__init__(self.wait)
        self.go = asyncio.Event()

    async def wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.read(reader)
            await self.go.wait()
            writer.write(OK)


def swap(gate: Rig, up: RawUpstream, fresh: Generation) -> None:
    spec = UpstreamSpec(name="u", targets=(Target(address=up.address),))
    routes = [RouteSpec(name="r", upstream="u")]
    gate.plane.install(gate.table(routes, [spec], [member(fresh)]))


def test_a_request_stays_on_its_chain_and_the_old_generation_drains() -> None:
    async def main() -> None:
        seen: list[int] = []
        old = generation("p", 1, on_response=lambda q, p: seen.append(1))
        new = generation("p", 2, on_response=lambda q, p: seen.append(2))
        async with Held().running() as up, rig(up.address, members=[member(old)]) as gate:
            first, second = await gate.connect(), await gate.connect()
            first.send(GET)
            await until(lambda: len(up.heads) == 1)
            pools = gate.pools.pools
            swap(gate, up, new)
            assert gate.pools.pools == pools
            second.send(GET)
            await until(lambda: len(up.heads) == 2)
            assert (old.in_flight, new.in_flight) == (1, 1)
            assert gate.meter.route("r").in_flight == 2
            up.go.set()
            assert (await first.response())[0] == (await second.response())[0] == 200
            assert sorted(seen) == [1, 2]
            assert gate.meter.route("r").in_flight == 0
            assert (old.in_flight, len(old.holders), len(new.holders)) == (0, 0, 1)
            assert (old.past.entered, old.past.finished, old.dropped) == (1, 1, 0)

    asyncio.run(main())


def test_what_is_late_at_the_deadline_is_cancelled_and_counted() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def stuck(request: Request) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        old = generation("p", 1, on_request=stuck)
        new = generation("p", 2, on_request=lambda request: None)
        members = [member(old, limits_ms=0)]
        async with RawUpstream().running() as up, rig(up.address, members=members) as gate:
            client = await gate.connect()
            client.send(GET)
            await until(lambda: old.in_flight)
            swap(gate, up, new)
            await old.drained(0.05, time)
            assert (await client.response())[0] == 503
            assert ended.is_set()
            assert (old.cancelled, old.in_flight, old.dropped) == (1, 0, 0)

    asyncio.run(main())


def test_a_stream_is_cut_visibly_at_the_deadline() -> None:
    async def main() -> None:
        async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
            await reader.read()

        old = generation("p", 1, on_request=lambda request: None)
        async with (
            RawUpstream(stream).running() as up,
            rig(up.address, members=[member(old)]) as gate,
        ):
            client = await gate.connect()
            client.send(GET)
            assert (await client.head())[0] == 200
            (holder,) = old.holders
            assert holder.cancel() == 1
            assert not (await client.ended()).endswith(b"0\r\n\r\n")
            assert (holder.tally.cancelled, holder.in_flight) == (1, 0)

    asyncio.run(main())


def test_parked_requests_wait_and_go_on_through_the_new_table() -> None:
    async def main() -> None:
        seen: list[int] = []
        old = generation("p", 1, on_request=lambda request: seen.append(1))
        new = generation("p", 2, on_request=lambda request: seen.append(2))
        async with RawUpstream().running() as up, rig(up.address, members=[member(old)]) as gate:
            gone, client = await gate.connect(), await gate.connect()
            (holder,) = old.holders
            holder.park()
            gone.send(GET)
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
            await until(lambda: len(holder._waiting) == 2)
            await gone.close()
            await until(lambda: len(holder._waiting) == 1)
            assert old.in_flight == 0
            holder.unpark()
            swap(gate, up, new)
            assert (await client.response())[0] == 200
            assert seen == [2]
            assert up.bodies == [b"hi"]
            assert old.dropped == 0

    asyncio.run(main())


def test_parking_nests() -> None:
    async def main() -> None:
        old = generation("p", 1, on_request=lambda request: None)
        async with RawUpstream().running() as up, rig(up.address, members=[member(old)]) as gate:
            client = await gate.connect()
            (holder,) = old.holders
            holder.park()
            holder.park()
            client.send(GET)
            await until(lambda: holder._waiting)
            holder.unpark()
            assert holder._waiting
            holder.unpark()
            assert (await client.response())[0] == 200

    asyncio.run(main())


def test_the_queue_of_parked_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugbay.gateway.chain._chain.PARKED", 1)

    async def main() -> None:
        old = generation("p", 1, on_request=lambda request: None)
        async with RawUpstream().running() as up, rig(up.address, members=[member(old)]) as gate:
            first, second = await gate.connect(), await gate.connect()
            (holder,) = old.holders
            holder.park()
            first.send(GET)
            await until(lambda: holder._waiting)
            assert (await second.get())[0] == 503
            assert (holder.tally.refused, old.dropped) == (1, 1)
            holder.unpark()
            assert (await first.response())[0] == 200

    asyncio.run(main())


def test_an_instance_that_came_back_is_bound_again() -> None:
    async def main() -> None:
        seen: list[str] = []
        old = generation("p", 1, on_request=lambda request: seen.append("first"))
        again = generation("p", 1, on_request=lambda request: seen.append("again"))
        async with RawUpstream().running() as up, rig(up.address, members=[member(old)]) as gate:
            client = await gate.connect()
            (holder,) = old.holders
            holder.park()
            old.instance = again.instance
            holder.unpark()
            assert (await client.get())[0] == 200
            assert seen == ["again"]

    asyncio.run(main())


def test_drain_ends_idle_connections_and_lets_requests_end() -> None:
    async def main() -> None:
        async with Held().running() as up, rig(up.address) as gate:
            idle, busy = await gate.connect(), await gate.connect()
            busy.send(GET)
            await until(lambda: up.heads)
            drain = asyncio.create_task(gate.plane.drain(100))
            assert await idle.ended() == b""
            up.go.set()
            status, fields, _ = await busy.response()
            assert (status, fields[b"connection"]) == (200, b"close")
            assert await drain == 0

    asyncio.run(main())


def test_drain_cancels_at_its_deadline() -> None:
    async def main() -> None:
        async with Held().running() as up, rig(up.address) as gate:
            client = await gate.connect()
            client.send(GET)
            await until(lambda: up.heads)
            assert await gate.plane.drain(0.05) == 1
            assert (await client.response())[0] == 503

    asyncio.run(main())


def test_builtin_paths_are_served_where_no_route_is() -> None:
    async def main() -> None:
        builtin = {"/health": lambda: Response.json({"status": "ok"})}
        async with (
            RawUpstream().running() as up,
            rig(up.address, builtin=builtin, route={"path": "/api", "methods": ("GET",)}) as gate,
        ):
            client = await gate.connect()
            assert (await client.get("/health"))[::2] == (200, b'{"status":"ok"}')
            assert (await client.get("/nothing"))[0] == 404
            client.send(b"DELETE /api HTTP/1.1\r\nhost: a\r\n\r\n")
            status, fields, _ = await client.response()
            assert (status, fields[b"allow"]) == (405, b"GET")
            unmatched = gate.meter.route("-")
            assert sum(unmatched.requests.values()) == 3

    asyncio.run(main())


def test_without_a_table_the_answer_is_503() -> None:
    async def main() -> None:
        async with RawUpstream().running() as up, rig(up.address) as gate:
            gate.plane.table = gate.plane.ways = None
            client = await gate.connect()
            assert (await client.get())[0] == 503

    asyncio.run(main())


def test_a_table_that_cannot_be_built_leases_nothing() -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda request: None)
        circular = generation("q", on_request=lambda request: None)
        async with RawUpstream().running() as up, rig(up.address) as gate:
            spec = UpstreamSpec(name="other", targets=(Target(address=up.address),))
            empty = UpstreamSpec(name="empty", targets=())
            bad = UpstreamSpec(
                name="bad", targets=(Target(address="nowhere"), Target(address="host:port"))
            )
            for route, upstreams in (
                (RouteSpec(name="r"), [spec]),
                (RouteSpec(name="r", upstream="none"), [spec]),
                (RouteSpec(name="r", plugin="none"), [spec]),
                (RouteSpec(name="r", upstream="other"), [spec, empty]),
                (RouteSpec(name="r", upstream="other", path="no/slash"), [spec]),
                (RouteSpec(name="r", upstream="bad"), [bad]),
            ):
                with pytest.raises(Invalid):
                    gate.table([route], upstreams, [member(plugin)])
            loop = [
                member(plugin, order=Order(after=("q",))),
                member(circular, order=Order(after=("p",))),
            ]
            with pytest.raises(DependencyProblem):
                gate.table([RouteSpec(name="r", upstream="other")], [spec], loop)
            early = generation("early", response_body=lambda q, p, chunks: chunks)
            with pytest.raises(Invalid, match="cannot filter bodies"):
                gate.table(
                    [RouteSpec(name="r", upstream="other")],
                    [spec],
                    [member(early, order=Order(phase="pre-routing"))],
                )
            assert plugin.holders == set()
            assert [pool.spec.name for pool in gate.pools.pools] == ["u"]

    asyncio.run(main())
