"""Clients of a stdio server that lose their connection and come back (`Last-Event-ID`)."""

from __future__ import annotations

import asyncio
import json

from plugbay.mcp.serving import ServerSpec
from plugbay.mcp.serving._events import Events
from plugbay.mcp.serving._stream import Stream
from unit.mcp.serving.endpoint import Http, begin, call, modern, serve

V = {"mcp_protocol_version": "2025-11-25"}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": 1}}


async def event(http):
    """The next event: its id, and its message if it has one."""
    part = await http.part()
    fields = dict(line.split(": ", 1) for line in part.decode().splitlines() if ": " in line)
    assert part, "the stream has ended"
    return fields.get("id", ""), json.loads(fields["data"]) if fields.get("data") else None


async def ask(endpoint, session, body, **fields):
    return await Http(endpoint, "POST", body, mcp_session_id=session, **fields).head()


async def back(endpoint, session, last):
    return await Http(endpoint, "GET", mcp_session_id=session, last_event_id=last, **V).head()


def line(id, message):
    return call(id, "raw", line=json.dumps(message))


def test_an_answer_that_was_missed_is_fetched_and_only_that_stream_is_replayed():
    async def work(endpoint):
        session = await begin(endpoint)
        held = await ask(endpoint, session, call(1, "ask", id="q"), **V)
        assert (await held.part()).endswith(b"-0\nretry: 1000\ndata: \n\n")
        last, asked = await event(held)
        assert asked["method"] == "roots/list"
        await held.leave()
        other = await ask(endpoint, session, call(2, "ask", id="r"), **V)
        await other.part()
        await event(other)
        # The answer comes while nobody listens.
        await ask(endpoint, session, {"jsonrpc": "2.0", "id": "q", "result": {"roots": []}})
        http = await back(endpoint, session, last)
        assert http.headers["content-type"] == "text/event-stream"
        id, answer = await event(http)
        assert (answer["id"], id.partition("-")[0]) == (1, last.partition("-")[0])
        await asyncio.wait_for(http.task, 100)
        # It can be fetched again, and what is known already is not told twice.
        assert (await event(await back(endpoint, session, last)))[1] == answer
        assert await (await back(endpoint, session, id)).part() == b""
        await ask(endpoint, session, {"jsonrpc": "2.0", "id": "r", "result": {}})
        assert (await event(other))[1]["id"] == 2

    serve(work)


def test_an_answer_that_takes_long_can_be_fetched_though_nothing_was_said_before_it():
    async def work(endpoint):
        session = await begin(endpoint)
        async with asyncio.timeout(100):
            held = await ask(endpoint, session, call(1, "wait", id="q"), **V)
        assert held.headers["content-type"] == "text/event-stream"
        last, message = await event(held)
        assert message is None
        await held.leave()
        await ask(endpoint, session, {"jsonrpc": "2.0", "id": "q", "result": {}})
        assert (await event(await back(endpoint, session, last)))[1]["id"] == 1

    serve(work)


def test_a_client_comes_back_before_its_old_connection_has_ended():
    async def work(endpoint):
        session = await begin(endpoint)
        held = await ask(endpoint, session, call(1, "ask", id="q"), **V)
        first = (await held.part()).partition(b"\n")[0].decode().partition(": ")[2]
        await event(held)
        again = await back(endpoint, session, first)
        await asyncio.wait_for(held.task, 100)
        assert (await event(again))[1]["method"] == "roots/list"
        await ask(endpoint, session, {"jsonrpc": "2.0", "id": "q", "result": {}})
        assert (await event(again))[1]["id"] == 1

    serve(work)


def test_the_stream_of_the_session_goes_on_and_there_is_one_only():
    async def work(endpoint):
        session = await begin(endpoint)
        listener = await Http(endpoint, "GET", mcp_session_id=session, **V).head()
        first = (await listener.part()).partition(b"\n")[0].decode().partition(": ")[2]
        await ask_and_leave(endpoint, session, 1)
        assert (await event(listener))[1] == CHANGED
        await listener.leave()
        await ask_and_leave(endpoint, session, 2)
        second = await back(endpoint, session, first)
        assert [(await event(second))[1], (await event(second))[1]] == [CHANGED, CHANGED]
        await second.leave()
        third = await Http(endpoint, "GET", mcp_session_id=session, **V).head()
        assert (await back(endpoint, session, first)).status == 409
        await third.leave()

    async def ask_and_leave(endpoint, session, id):
        held = Http(endpoint, "POST", line(id, CHANGED), mcp_session_id=session)
        echo = Http(endpoint, "POST", call(id + 10, "echo"), mcp_session_id=session)
        await asyncio.wait_for(echo.task, 100)  # the server has said the other before
        await held.leave()

    serve(work)


def test_what_is_gone_is_said_to_be_and_the_session_stays():
    async def work(endpoint):
        session = await begin(endpoint)
        for last in ("nonsense", "7-1", "1-99999999999999999999"):
            http = await back(endpoint, session, last)
            assert (http.status, "gone" in (await http.message())["error"]["message"]) == (
                410,
                True,
            )
        held = await ask(endpoint, session, line(1, NOTE), **V)
        await held.part()
        last, _ = await event(held)
        await held.leave()
        for id in range(2, 6):
            more = await ask(endpoint, session, line(id, NOTE | {"params": {"data": "x" * 90}}))
            await more.part()
            await more.leave()
        assert (await back(endpoint, session, last.replace("-1", "-0"))).status == 410
        echo = await ask(endpoint, session, call(9, "echo"))
        assert echo.status == 200

    serve(work, replay_bytes=300)


def test_older_clients_get_ids_but_no_event_without_a_message_and_modern_ones_neither():
    async def work(endpoint):
        session = await begin(endpoint)
        held = await ask(endpoint, session, line(1, NOTE), mcp_protocol_version="2025-06-18")
        last, message = await event(held)
        assert (last[-2:], message) == ("-1", NOTE)
        await held.leave()
        stateless = await modern(endpoint, 1, "raw", line=json.dumps(NOTE)).head()
        assert (await event(stateless))[0] == ""
        await stateless.leave()

    serve(work)


def test_nothing_is_kept_where_nobody_wants_that():
    async def work(endpoint):
        session = await begin(endpoint)
        held = await ask(endpoint, session, line(1, NOTE), **V)
        assert (await event(held))[0] == ""
        await held.leave()
        assert (await back(endpoint, session, "1-0")).status == 410

    serve(work, replay_bytes=0)


def test_events_are_kept_within_bounds_of_bytes_and_age():
    now = [0.0]
    events = Events(lambda: now[0], size=100, seconds=60.0)
    stream = Stream(1, events)
    stream.begin()
    for text in (b"a" * 60, b"b" * 60):
        stream.put(text)
        assert asyncio.run(stream.next(1.0)) == (text, False)
        stream.event_id(text)
    assert events.find("1-0") is None
    found = events.find("1-1")
    assert found is not None
    assert found[1] == [(2, b"b" * 60)]
    stream.resume(found[1])
    large = b"c" * 1000
    stream.leave()
    stream.end(large)  # nobody listens: it is kept, for it is the last
    found = events.find("1-2")
    assert found is not None
    assert found[1] == [(3, large)]
    now[0] = 61.0
    events.forget()
    assert events.find("1-3") is None
    assert ServerSpec(name="a", command="b").replay_seconds == 300.0
