"""Requests over HTTP/2: the same routes, chains and pools as over HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.sdk import Request, Response, Timing
from unit.gateway.core.rig import GET, RawUpstream, generation, member, rig, until
from unit.gateway.core.test_trap import Holder
from unit.gateway.http2.client import ErrorCodes, connected, head, spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.kernel import Generation


def test_many_requests_at_once_on_one_connection() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            ids = [client.request(head(b"GET", b"/%d" % n)) for n in range(60)]
            answers = [await client.answer(id) for id in ids]
            assert [(a.status, a.body) for a in answers] == [(200, b"ok")] * 60
            assert len({a.fields[b"x-request-id"] for a in answers}) == 60
            lines = sorted(int(found.split(b" ")[1][1:]) for found in up.heads)
            assert lines == list(range(60))
            assert len(gate.plane.connections) == 1
            await until(lambda: not next(iter(gate.plane.connections)).in_flight())

    asyncio.run(main())


def test_the_head_that_the_upstream_gets() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            fields = [
                (b"cookie", b"a=1"),
                (b"x-a", b"1"),
                (b"cookie", b"b=2"),
                (b"te", b"trailers"),
            ]
            trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            answer = await client.get(b"/x?q", *fields, (b"traceparent", trace))
            assert answer.status == 200
            lines = up.heads[0].split(b"\r\n")
            assert lines[0] == b"GET /x?q HTTP/1.1"
            assert lines[1] == b"host: a"
            assert b"cookie: a=1; b=2" in lines
            assert b"via: 2 plugbay" in lines
            assert b"te: trailers" in lines
            assert lines.count(b"x-a: 1") == 1
            assert any(line.startswith(b"traceparent: " + trace[:35]) for line in lines)
            assert not any(line.startswith(b":") for line in lines)

    asyncio.run(main())


def test_both_protocols_at_one_listener() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address, http2=True) as gate:
            usual = await gate.connect()
            assert (await usual.get())[0] == 200
            slow = await gate.connect()
            for byte in GET:
                slow.send(bytes([byte]))
                await slow.writer.drain()
            assert (await slow.response())[0] == 200
            alike = await gate.connect()
            alike.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
            assert (await alike.response())[0] == 400
            async with connected(gate) as client:
                assert (await client.get()).status == 200

    asyncio.run(main())


def test_hooks_see_the_request_and_change_both_sides() -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def on_request(request: Request) -> None:
            seen.append((request.http_version, request.scheme, request.authority))
            request.headers.set("x-added", "yes")
            seen.append(await request.read(100))

        def on_response(request: Request, response: Response) -> None:
            response.status = 203
            response.headers.add("x-seen", request.path)

        async def request_body(request: Request, body: Any) -> AsyncIterator[bytes]:
            async for data in body:
                yield data.upper()

        async def response_body(
            request: Request, response: Response, body: Any
        ) -> AsyncIterator[bytes]:
            async for data in body:
                yield data + b"!"

        async def on_complete(request: Request, response: Response, timing: Timing) -> None:
            seen.append(timing.outcome)

        plugin = generation(
            "p",
            on_request=on_request,
            on_response=on_response,
            request_body=request_body,
            response_body=response_body,
            on_complete=on_complete,
        )
        up = RawUpstream()
        async with up.running(), spoken(up.address, members=[member(plugin)]) as (_, client):
            fields = (b"content-length", b"3")
            answer = await client.answer(client.request(head(b"POST", b"/p", fields), b"abc"))
            assert (answer.status, answer.body) == (203, b"ok!")
            assert answer.fields[b"x-seen"] == b"/p"
            assert up.bodies == [b"ABC"]
            assert b"x-added: yes" in up.heads[0]
            await until(lambda: len(seen) == 3)
            assert seen == [("2", "http", "a"), b"abc", "ok"]
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


def test_a_hook_answers() -> None:
    async def main() -> None:
        plugin = generation("p", on_request=lambda request: Response.text("no", status=403))
        async with spoken("127.0.0.1:9", members=[member(plugin)]) as (_, client):
            answer = await client.get()
            assert (answer.status, answer.body) == (403, b"no")

    asyncio.run(main())


def test_what_a_hook_breaks_does_not_reach_the_client() -> None:
    async def main() -> None:
        def on_response(request: Request, response: Response) -> None:
            response.headers.raw.append((b"x-a", b"1\r\nx-b: 2"))

        plugin = generation("p", on_response=on_response)
        up = RawUpstream()
        async with up.running(), spoken(up.address, members=[member(plugin)]) as (_, client):
            answer = await client.get()
            assert answer.status == 500
            assert b"x-a" not in answer.fields

    asyncio.run(main())


def test_a_client_of_http_2_is_kept_waiting_within_bounds() -> None:
    async def main() -> None:
        holder = Holder(interval=0.01, seconds=0.05, most=1)
        async with spoken("127.0.0.1:9", members=[member(holder.plugin)]) as (gate, client):
            answer = await client.get()
            assert (answer.status, answer.ended) == (200, True)
            assert answer.body.count(b" ") >= 2
            assert gate.plane.trap.held == 0
            assert holder.ended == holder.drips
            bodiless = await client.answer(client.request(head(b"HEAD")))
            assert (bodiless.status, bodiless.ended) == (200, True)

    asyncio.run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_responses_without_a_body(status: int) -> None:
    async def main() -> None:
        up = RawUpstream()
        up.response = b"HTTP/1.1 %d X\r\netag: 1\r\n\r\n" % status
        async with up.running(), spoken(up.address) as (_, client):
            answer = await client.get()
            assert (answer.status, answer.body, answer.ended) == (status, b"", True)

    asyncio.run(main())


def test_head_tells_the_length_and_no_more() -> None:
    async def main() -> None:
        up = RawUpstream()
        up.response = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"
        async with up.running(), spoken(up.address) as (_, client):
            for _ in range(2):
                answer = await client.answer(client.request(head(b"HEAD")))
                assert (answer.fields[b"content-length"], answer.body) == (b"99", b"")

    asyncio.run(main())


def test_interim_responses_and_trailers() -> None:
    async def main() -> None:
        up = RawUpstream()
        up.response = (
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
            b"2\r\nok\r\n0\r\nx-sum: 7\r\nvia: me\r\n\r\n"
        )
        async with up.running(), spoken(up.address) as (_, client):
            answer = await client.get()
            assert answer.interim == [103]
            assert (answer.status, answer.body) == (200, b"ok")
            assert answer.trailers == [(b"x-sum", b"7")]
            assert b"transfer-encoding" not in answer.fields

    asyncio.run(main())


def test_100_continue_comes_when_the_body_is_wanted() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            fields = [(b"expect", b"100-continue"), (b"content-length", b"2")]
            id = client.request(head(b"POST", b"/", *fields), end=False)
            await client.until(lambda: client.answers[id].interim)
            client.send(id, b"hi", end=True)
            assert (await client.answer(id)).status == 200
            assert up.bodies == [b"hi"]

    asyncio.run(main())


def test_an_application_answers() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        text = f"{scope['http_version']} {scope['method']} {scope['path']} ".encode()
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-App", b"1")]})
        await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": body})

    async def main() -> None:
        plugin = generation("app", app=app)
        route = {"plugin": "app", "path": "/app"}
        async with spoken(members=[member(plugin)], route=route) as (_, client):
            fields = (b"content-length", b"5")
            answer = await client.answer(client.request(head(b"POST", b"/app/x", fields), b"hello"))
            assert (answer.status, answer.body) == (201, b"2 POST /app/x hello")
            assert answer.fields[b"x-app"] == b"1"
            await until(lambda: plugin.in_flight == 0)

    asyncio.run(main())


def test_a_reset_cancels_the_request_at_the_upstream() -> None:
    async def main() -> None:
        outcomes: list[str] = []

        def on_complete(request: Request, response: Response | None, timing: Timing) -> None:
            outcomes.append(timing.outcome)

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            await reader.read()

        plugin: Generation = generation("p", on_complete=on_complete)
        up = RawUpstream(silent)
        async with up.running(), spoken(up.address, members=[member(plugin)]) as (_, client):
            id = client.request(head())
            await up.got.wait()
            client.machine.reset_stream(id, ErrorCodes.CANCEL)
            client.flush()
            async with asyncio.timeout(100):
                await up.closed.wait()
            await until(lambda: plugin.in_flight == 0)
            up._serve = up.answer
            assert (await client.get()).status == 200
            await until(lambda: len(outcomes) == 2)
            assert outcomes == ["client-gone", "ok"]

    asyncio.run(main())


def test_a_response_that_breaks_off_is_seen_to_be_broken() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await writer.drain()

    async def main() -> None:
        up = RawUpstream(cut)
        async with up.running(), spoken(up.address) as (_, client):
            answer = await client.get()
            assert (answer.status, answer.reset) == (200, ErrorCodes.INTERNAL_ERROR)

    asyncio.run(main())


@pytest.mark.parametrize("what", ["total", "response"])
def test_a_slow_upstream_is_answered_for(what: str) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> None:
        up = RawUpstream(silent)
        settings: dict[str, Any] = (
            {"route": {"total_timeout": 0.05}} if what == "total" else {"response_timeout": 0.05}
        )
        async with up.running(), spoken(up.address, **settings) as (_, client):
            assert (await client.get()).status == 504

    asyncio.run(main())
