"""Messages where a client may find them and no plugin would look: there are none."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from unit.mcp.http.tapped import (
    CALL,
    RESULT,
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

REQUEST = b"".join(post(dumps(CALL)))
HIDDEN = dumps({**RESULT, "result": {"content": ["hidden"]}})
WORDS = b'{"jsonrpc":"2.0","method":"notifications/x","params":{"a":'
CHUNKED = b"HTTP/1.1 200 OK\r\n%b\r\ntransfer-encoding: chunked\r\n\r\n"


def answer(body: bytes, *fields: bytes) -> list[bytes]:
    head = b"".join(one + b"\r\n" for one in fields)
    return [b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)]


def events(*parts: bytes) -> list[bytes]:
    return stream(*parts)


JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream"
GZIP = b"content-encoding: gzip"
SAID = event(RESULT)
CASES = {
    "mark of the byte order": stream(b"\xef\xbb\xbfdata: " + HIDDEN + b"\n\n"),
    "ends of lines in two ways": stream(
        b"data: " + WORDS + b"\n\rdata: " + HIDDEN + b"\n\rdata: 1}}\n\n"
    ),
    "no end of the event": stream(b": x\n\n", b"data: " + HIDDEN),
    "one end of a line": stream(b": x\n\n", b"data: " + HIDDEN + b"\n"),
    "two media types": answer(HIDDEN, b"content-type: text/plain", JSON),
    "two media types in one": answer(HIDDEN, b"content-type: text/event-stream, application/json"),
    "a media type like it": answer(HIDDEN, b"content-type: text/plain; application/json"),
    "upper case": answer(HIDDEN, b"Content-Type: Application/JSON; Charset=utf-8"),
    "events under another name": answer(
        b"data: " + HIDDEN + b"\n\n", b"content-type: TEXT/Event-Stream"
    ),
    "compressed": answer(gzip.compress(HIDDEN), JSON, GZIP),
    "compressed events": answer(gzip.compress(b"data: " + HIDDEN + b"\n\n"), SSE, GZIP),
    "compressed in two ways": answer(b"hidden", SSE, b"content-encoding: identity", GZIP),
    "compressed otherwise": answer(b"hidden", JSON, b"content-encoding: br"),
    "several lines": stream(*(b"data: " + part + b"\n" for part in HIDDEN.split(b" ")), b"\n"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("waits", [False, True])
def test_every_message_passes_the_hooks(case: str, waits: bool) -> None:
    async def main() -> None:
        hook = waiting(stamp) if waits else stamp
        async with route(mcp_member("p", on_tool_result=hook)) as made:
            client = await made.connected()
            made.up.parts = CASES[case]
            client.send(REQUEST)
            status, fields, body = await client.response()
            assert status == 200
            assert b"hidden" not in body
            assert gzip.compress(HIDDEN) not in body
            if "otherwise" in case:
                assert body == b""
            elif "compressed" in case:
                assert fields[b"content-encoding"] == b"gzip"
                error = json.loads(gzip.decompress(body).removeprefix(b"data: "))
                assert (error["id"], error["error"]["code"]) == (7, -32603)
            elif "ends of lines" not in case:
                assert b"stamped" in body
            await made.settled()

    asyncio.run(main())


def test_a_compressed_page_is_no_message() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_tool_result=stamp)) as made:
            client = await made.connected()
            page = gzip.compress(b"<p>")
            made.up.parts = answer(page, b"content-type: text/html", GZIP)
            client.send(REQUEST)
            assert (await client.response())[2] == page

    asyncio.run(main())


@pytest.mark.parametrize("method", [b"PUT", b"PATCH", b"GET", b"DELETE", b"post"])
@pytest.mark.parametrize("way", ["at once", "split"])
def test_a_message_comes_by_post_only(method: bytes, way: str) -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            head, body = post(dumps(CALL))
            client.send(head.replace(b"POST", method))
            if way == "split":
                await asyncio.sleep(0)
            client.send(body)
            status, *_ = await client.response()
            assert status in (400, 405, 501)
            assert not any(made.up.bodies)
            await made.settled()

    asyncio.run(main())


def test_an_answer_comes_once() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_tool_result=nothing)) as made:
            client = await made.connected()
            made.up.parts = stream(SAID, SAID)
            client.send(REQUEST)
            assert (await client.response())[2] == SAID
            await made.settled()

    asyncio.run(main())


def test_two_results_in_one_answer_are_an_error() -> None:
    async def main() -> None:
        async with route(mcp_member("p", on_message=nothing)) as made:
            client = await made.connected()
            twice = dumps(RESULT)[:-1] + b', "result": {"content": ["hidden"]}}'
            for status in (b"200 OK", b"400 Bad Request"):
                made.up.parts = whole(twice, status)
                client.send(REQUEST)
                error = json.loads((await client.response())[2])
                assert (error["id"], error["error"]["code"]) == (7, -32603)
            await made.settled()

    asyncio.run(main())
