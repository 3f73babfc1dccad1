"""Hooks in the chain: order, answers, coroutines, bodies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.sdk import BodyTooLarge, Order, Request, Response, Timing
from unit.gateway.core.rig import RawUpstream, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def test_request_hooks_run_in_order_and_response_hooks_in_reverse() -> None:
    async def main() -> None:
        seen: list[str] = []

        def hooks(id: str):
            return generation(
                id,
                on_request=lambda request: seen.append(f"{id} in"),
                on_response=lambda request, response: seen.append(f"{id} out"),
            )

        members = [member(hooks(id), order=Order(priority=n)) for n, id in enumerate("abc")]
        async with RawUpstream().running() as up, rig(up.address, members=members) as gate:
            client = await gate.connect()
            assert (await client.get())[::2] == (200, b"ok")
        assert seen == ["a in", "b in", "c in", "c out", "b out", "a out"]

    asyncio.run(main())


def test_a_hook_changes_the_request_and_the_response() -> None:
    async def main() -> None:
        def on_request(request: Request) -> None:
            request.headers.set("x-added", "yes")
            request.headers.remove("x-secret")
            request.path = "/other"

        def on_response(request: Request, response: Response) -> None:
            response.status = 203
            response.headers.add("x-seen", request.path)

        plugin = generation("p", on_request=on_request, on_response=on_response)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            client.send(
                b"POST /a?q=1 HTTP/1.1\r\nhost: a\r\nx-secret: s\r\ncontent-length: 3\r\n\r\nabc"
            )
            status, fields, body = await client.response()
            assert (status, fields[b"x-seen"], body) == (203, b"/other", b"ok")
            head = up.heads[0]
            assert head.startswith(b"POST /other?q=1 HTTP/1.1\r\n")
            assert b"x-added: yes" in head
            assert b"x-secret" not in head
            assert up.bodies == [b"abc"]

    asyncio.run(main())


def test_an_answer_ends_the_way_in_and_goes_back_through_those_entered() -> None:
    async def main() -> None:
        seen: list[str] = []
        first = generation("a", on_response=lambda q, p: seen.append("a"))
        second = generation(
            "b",
            on_request=lambda request: Response.text("no", 401),
            on_response=lambda q, p: seen.append("b"),
        )
        third = generation("c", on_response=lambda q, p: seen.append("c"))
        members = [member(g, order=Order(priority=n)) for n, g in enumerate((first, second, third))]
        async with RawUpstream().running() as up, rig(up.address, members=members) as gate:
            client = await gate.connect()
            assert (await client.get())[::2] == (401, b"no")
            assert up.heads == []
            assert seen == ["b", "a"]
            series = gate.meter.plugin("b", "1.0", "post-routing")
            assert series.answered == 1

    asyncio.run(main())


def test_coroutine_hooks_on_both_ways() -> None:
    async def main() -> None:
        async def on_request(request: Request) -> None:
            await asyncio.sleep(0)
            request.headers.set("x-in", "1")

        async def on_response(request: Request, response: Response) -> None:
            await asyncio.sleep(0)
            response.headers.set("x-out", "1")

        plugin = generation("p", on_request=on_request, on_response=on_response)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            up.response = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000
            client = await gate.connect()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody")
            status, fields, body = await client.response()
            assert (status, fields[b"x-out"], len(body)) == (200, b"1", 300_000)
            assert b"x-in: 1" in up.heads[0]
            assert up.bodies == [b"body"]

    asyncio.run(main())


def test_a_hook_reads_the_body_and_the_upstream_still_gets_it() -> None:
    async def main() -> None:
        read: list[object] = []

        async def on_request(request: Request) -> None:
            try:
                read.append(await request.read(10))
            except BodyTooLarge as error:
                read.append(error.limit)

        plugin = generation("p", on_request=on_request)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            for body in (b"small", b"much too large"):
                client.send(
                    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n"
                    b"expect: 100-continue\r\n\r\n" % len(body)
                )
                assert (await client.head())[0] == 100
                client.send(body)
                assert (await client.response())[0] == 200
            assert (await client.get())[0] == 200
            assert read == [b"small", 10, b""]
            assert up.bodies == [b"small", b"much too large", b""]

    asyncio.run(main())


def test_a_response_hook_replaces_the_response() -> None:
    async def main() -> None:
        plugin = generation("p", on_response=lambda q, p: Response.text("mine", 418))
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            for _ in range(3):
                assert (await client.get())[::2] == (418, b"mine")

    asyncio.run(main())


def test_a_hook_answers_with_a_stream() -> None:
    async def main() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for n in range(50):
                yield b"%d," % n * 2000

        plugin = generation("p", on_request=lambda request: Response(200, body=chunks()))
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            status, fields, body = await client.get()
            assert (status, fields[b"transfer-encoding"]) == (200, b"chunked")
            assert body == b"".join(b"%d," % n * 2000 for n in range(50))

    asyncio.run(main())


def test_body_filters_transform_both_bodies() -> None:
    async def main() -> None:
        async def upper(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk.upper()

        async def double(
            request: Request, response: Response, chunks: AsyncIterator[bytes]
        ) -> AsyncIterator[bytes]:
            async for chunk in chunks:
                yield chunk * 2

        plugin = generation("p", request_body=upper, response_body=double)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nab")
            await until(lambda: up.heads)
            client.send(b"cdef")
            status, fields, body = await client.response()
            assert (status, body) == (200, b"okok")
            assert b"content-length" not in fields
            assert up.bodies == [b"ABCDEF"]
            assert b"content-length" not in up.heads[0].lower()
            assert (await client.get())[2] == b"okok"

    asyncio.run(main())


def test_observers_learn_of_it_and_hold_the_generation_until_then() -> None:
    async def main() -> None:
        seen: list[tuple[str, int, Timing]] = []
        go = asyncio.Event()

        async def on_complete(request: Request, response: Response, timing: Timing) -> None:
            await go.wait()
            seen.append((request.path, response.status, timing))

        plugin = generation("p", on_complete=on_complete)
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=[member(plugin)]) as gate,
        ):
            client = await gate.connect()
            assert (await client.get("/x"))[0] == 200
            assert plugin.in_flight == 1
            go.set()
            await until(lambda: seen)
            path, status, timing = seen[0]
            assert (path, status, timing.outcome, timing.response_bytes) == ("/x", 200, "ok", 2)
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


def test_a_pre_routing_plugin_chooses_the_route() -> None:
    async def main() -> None:
        def on_request(request: Request) -> None:
            assert request.route == ""
            request.path = "/api" + request.path

        async def later(request: Request) -> Response | None:
            await asyncio.sleep(0)
            return Response.text("stop", 403) if "stop" in request.path else None

        out: list[str] = []
        early = generation(
            "early", on_request=on_request, on_response=lambda q, p: out.append(q.route)
        )
        guard = generation("guard", on_request=later)
        order = Order(phase="pre-routing")
        members = [
            member(early, order=order),
            member(guard, order=Order(phase="pre-routing", after=("early",))),
        ]
        async with (
            RawUpstream().running() as up,
            rig(up.address, members=members, route={"path": "/api"}) as gate,
        ):
            client = await gate.connect()
            assert (await client.get("/x"))[0] == 200
            assert up.heads[0].startswith(b"GET /api/x ")
            assert (await client.get("/stop"))[::2] == (403, b"stop")
            assert out == ["r", ""]

    asyncio.run(main())
