"""MCP over HTTP through a data plane: guards, hooks that wait, sides that go, other plugins."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from plugbay.sdk import Block
from unit.gateway.core.rig import generation, member, until
from unit.mcp.http.tapped import (
    CALL,
    LIMIT,
    RESULT,
    TOLD,
    dumps,
    event,
    nothing,
    post,
    route,
    stamp,
    stream,
    waiting,
    whole,
)
from unit.mcp.talk import member as mcp_member

REQUEST = post(dumps(CALL))


def block(_: Any) -> Block:
    return Block("no")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("events", [False, True])
def test_a_guard_stops_requests_and_results(waits: bool, events: bool) -> None:
    async def main() -> None:
        no = waiting(block) if waits else block
        for hook, reached in (("on_tool_call", 0), ("on_tool_result", 1)):
            async with route(mcp_member("p", **{hook: no})) as made:
                client = await made.connected()
                made.up.parts = stream(event(RESULT)) if events else whole(dumps(RESULT))
                client.send(b"".join(REQUEST))
                status, _, body = await client.response()
                assert (status, len(made.up.bodies)) == (200, reached)
                assert b'"isError":true' in body
                assert b'"plugin":"p"' in body
                await made.settled()

    asyncio.run(main())


def test_an_untouched_whole_answer_keeps_its_length() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            client.send(b"".join(REQUEST))
            _, fields, body = await client.response()
            assert (fields[b"content-length"], body) == (b"%d" % len(body), dumps(RESULT))
            assert made.up.bodies == [dumps(CALL)]
            await made.settled()

    asyncio.run(main())


def test_a_stream_goes_on_in_a_task_from_the_first_message_that_waits() -> None:
    order: list[str] = []

    async def slow(message: Any) -> Any:
        await asyncio.sleep(0.05)
        order.append("result")
        return stamp(message)

    def told(_: Any) -> None:
        order.append("told")

    async def main() -> None:
        plugin = mcp_member("p", "transform", on_tool_result=slow, on_notification=told)
        async with route(plugin) as made:
            client = await made.connected()
            made.up.parts = stream(event(TOLD), event(RESULT) + event(TOLD), event(TOLD))
            client.send(b"".join(REQUEST))
            status, _, body = await client.response()
            assert (status, order) == (200, ["told", "result", "told", "told"])
            found = [json.loads(line[6:]) for line in body.splitlines() if line[:5] == b"data:"]
            assert found == [TOLD, RESULT | {"result": {"stamped": True}}, TOLD, TOLD]
            await made.settled()

    asyncio.run(main())


def test_a_connection_is_good_for_more_when_a_hook_has_waited_for_the_last_event() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_tool_result=waiting(nothing))) as made:
            client = await made.connected()
            for parts in (stream(event(RESULT)), [b"".join(stream(event(RESULT)))]):
                made.up.parts = parts
                for _ in range(3):
                    client.send(b"".join(REQUEST))
                    status, _, body = await client.response()
                    assert (status, body) == (200, event(RESULT))
                    await made.settled()
            assert made.up.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("hook", ["on_tool_call", "on_tool_result"])
@pytest.mark.parametrize("events", [False, True])
def test_a_client_that_goes_while_a_hook_waits_leaves_nothing(hook: str, events: bool) -> None:
    async def main() -> None:
        entered = asyncio.Event()

        async def never(_: Any) -> None:
            entered.set()
            await asyncio.Event().wait()

        async with route(mcp_member("p", ms=60_000, **{hook: never})) as made:
            client = await made.connected()
            made.up.parts = stream(event(RESULT)) if events else whole(dumps(RESULT))
            client.send(b"".join(REQUEST))
            async with asyncio.timeout(100):
                await entered.wait()
            client.writer.transport.abort()
            await made.settled()

    asyncio.run(main())


def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            client.send(REQUEST[0] + REQUEST[1][:10])
            await until(lambda: any(one.exchange for one in made.gate.plane.connections))
            client.writer.transport.abort()
            await made.settled()
            assert made.up.bodies == []

    asyncio.run(main())


def test_an_event_that_is_too_long_breaks_the_stream_off() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            made.up.parts = stream(event(TOLD), b"data: " + b"x" * 2 * LIMIT)
            client.send(b"".join(REQUEST))
            status, _ = await client.head()
            assert status == 200
            async with asyncio.timeout(100):
                rest = await client.reader.read()
            assert event(TOLD) in rest
            assert not rest.endswith(b"0\r\n\r\n")
            await made.settled()

    asyncio.run(main())


def test_other_plugins_pass_before_the_tap_and_after_it() -> None:
    calls: list[str] = []

    def ask(request: Any) -> None:
        calls.append("request")
        request.state["identity"] = "ann"

    def back(request: Any, response: Any) -> None:
        calls.append("response")
        response.headers.set("x-seen", "1")

    def look(message: Any) -> None:
        calls.append(message.session.identity)

    async def main(ask: Any) -> None:
        early = member(generation("early", on_request=ask, on_response=back))
        async with route(mcp_member("p", on_message=look), others=[early]) as made:
            client = await made.connected()
            calls.clear()
            client.send(b"".join(REQUEST))
            _, fields, body = await client.response()
            assert (fields[b"x-seen"], body) == (b"1", dumps(RESULT))
            assert calls.count("ann") == 2
            assert sorted(calls) == ["ann", "ann", "request", "response"]
            await made.settled()

    async def asks(request: Any) -> None:
        await asyncio.sleep(0)
        ask(request)

    asyncio.run(main(ask))
    asyncio.run(main(asks))


@pytest.mark.parametrize("waits", [False, True])
def test_a_hook_sees_the_header_fields_that_came(waits: bool) -> None:
    found: list[tuple[str | None, int]] = []

    def look(message: Any) -> None:
        found.append((message.headers.get("x-tenant"), len(message.headers)))

    async def main() -> None:
        hook = waiting(look) if waits else look
        async with route(mcp_member("p", on_tool_call=hook, on_tool_result=hook)) as made:
            client = await made.connected()
            client.send(b"".join(post(dumps(CALL), b"x-tenant: blue")))
            assert (await client.response())[0] == 200
            await made.settled()

    asyncio.run(main())
    (tenant, count), answer = found
    assert tenant == "blue"
    assert count > 2
    assert answer == (None, 0)


def test_a_client_that_does_not_read_holds_the_server_up() -> None:
    one = event(TOLD | {"params": {"data": "x" * 3_000}})
    count = 1_600

    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            made.up.parts = stream(*[one * 50] * (count // 50))
            client.writer.transport.pause_reading()
            client.send(b"".join(REQUEST))

            def held() -> bool:
                exchanges = [each.exchange for each in made.gate.plane.connections]
                forwardings = [getattr(each, "sink", None) for each in exchanges if each]
                return any(each and each.upstream and each.upstream.paused for each in forwardings)

            await until(held)
            client.writer.transport.resume_reading()
            status, _, body = await client.response()
            assert (status, body == one * count) == (200, True)
            await made.settled()

    asyncio.run(main())
