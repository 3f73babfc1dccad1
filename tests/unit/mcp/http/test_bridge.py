"""The MCP side of an HTTP route, without a gateway: requests in, bodies out."""

from __future__ import annotations

import asyncio
import json

import pytest

from plugbay.sdk import Block
from unit.mcp.http.route import RESULT, SSE, Route
from unit.mcp.talk import member

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}


def dumps(message):
    return json.dumps(message).encode()


def stamp(message):
    return message.replace(result={"stamped": True})


def run(work):
    return asyncio.run(work())


def test_without_plugins_nothing_is_read():
    async def main():
        route = Route()
        assert await route.post(b"anything") == b"anything"
        assert route.request.headers["accept-encoding"] == "gzip"
        assert await route.back(b"anything", kind=SSE) == [b"anything"]

    run(main)


def test_json_and_events_pass_the_hooks_one_by_one():
    async def main():
        route = Route(member("p", on_tool_result=stamp))
        assert await route.post(CALL) == dumps(CALL)
        assert "accept-encoding" not in route.request.headers
        (body,) = await route.back(dumps(RESULT)[:9], dumps(RESULT)[9:])
        assert json.loads(body)["result"] == {"stamped": True}
        assert route.chain.in_flight == 0
        await route.post(CALL)
        progress = dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        parts = (
            b": hi\n\ndata: " + progress + b"\n\nid: 4\r\nda",
            b"ta: " + dumps(RESULT) + b"\r\n\r\n",
        )
        first, second = await route.back(*parts, kind=SSE)
        assert first == b": hi\n\ndata: " + progress + b"\n\n"
        assert second.startswith(b"id: 4\ndata: ")
        assert b'"stamped":true' in second
        assert route.chain.in_flight == 0

    run(main)


def test_what_is_not_changed_is_not_written_anew():
    async def main():
        route = Route(member("p", on_message=lambda m: None))
        raw = b'{ "id":1,"jsonrpc":"2.0", "method":"tools/call","params":{"name":"x","n":1.10} }'
        assert await route.post(raw) == raw
        event = b'event: message\r\ndata: { "jsonrpc":"2.0","id":1,"result":{} }\r\n\r\n'
        assert await route.back(event, b": rest", kind=SSE) == [event, b": rest"]

    run(main)


def test_blocked_requests_are_answered_and_notifications_accepted():
    async def main():
        route = Route(member("no", on_message=lambda m: Block("no")))
        answer = await route.post(CALL)
        assert answer.status == 200
        assert json.loads(answer.body)["result"]["isError"]
        answer = await route.post({"jsonrpc": "2.0", "method": "notifications/x"})
        assert (answer.status, answer.body) == (202, b"")
        assert route.chain.in_flight == 0

    run(main)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"jsonrpc":"2.0"}'])
def test_what_is_no_message_is_400(body):
    async def main():
        answer = await Route(member("p", on_message=lambda m: None)).post(body)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["code"] in (-32700, -32600)

    run(main)


def test_too_long_and_compressed_bodies_are_refused():
    async def main():
        route = Route(member("p", on_message=lambda m: None), max_message=100)
        assert (await route.post(b" " * 101)).status == 413
        assert (await route.post(CALL, content_encoding="gzip")).status == 415
        await route.post(CALL)
        (body,) = await route.back(b"x" * 101)
        assert json.loads(body)["error"]["code"] == -32603
        assert json.loads(body)["id"] == 1
        assert route.chain.in_flight == 0

    run(main)


def test_header_fields_follow_a_changed_body_if_they_were_right():
    async def main():
        route = Route(member("p", on_tool_call=lambda m: m.with_target("né")))
        await route.post(CALL, mcp_method="tools/call", mcp_name="echo")
        assert route.request.headers["mcp-name"] == "=?base64?bsOp?="
        await route.post(CALL, mcp_method="tools/call", mcp_name="other ")
        assert route.request.headers["mcp-name"] == "other "
        route = Route(member("p", on_tool_call=lambda m: m.with_target("plain")))
        await route.post(CALL, mcp_method="tools/call", mcp_name="=?base64?ZWNobw==?=")
        assert route.request.headers["mcp-name"] == "plain"
        assert route.request.headers["mcp-method"] == "tools/call"

    run(main)


def test_sessions_keep_their_conversations_apart_by_identity():
    async def main():
        seen = []
        route = Route(
            member("p", on_message=lambda m: seen.append((m.method, m.kind, m.session.identity)))
        )
        start = {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {"protocolVersion": "x"},
        }
        await route.post(start, identity="ann")
        await route.back(dumps({**RESULT, "id": 0}), mcp_session_id="s1")
        # The server asks on the stream of a call; the answer comes in a request of its own.
        await route.post(CALL, identity="ann", mcp_session_id="s1")
        ask = b"data: " + dumps({"jsonrpc": "2.0", "id": 1, "method": "roots/list"}) + b"\n\n"
        await route.back(ask, kind=SSE)
        await route.post(RESULT, identity="ann", mcp_session_id="s1")
        await route.post({**RESULT, "id": 1}, identity="eve", mcp_session_id="s1")
        assert seen[-2:] == [("roots/list", "response", "ann"), ("", "response", "eve")]
        await route.post(b"", identity="ann", method="GET", mcp_session_id="s1")
        await route.post(b"", identity="ann", method="DELETE", mcp_session_id="s1")
        await route.back(b"")
        await route.bridge.stop()
        assert route.chain.in_flight == 0

    run(main)


def test_errors_of_the_server_are_told_as_they_are():
    async def main():
        route = Route(member("p", on_message=lambda m: None))
        await route.post(CALL)
        assert await route.back(b'{"error":"invalid_token"}', status=401) == [
            b'{"error":"invalid_token"}'
        ]
        assert route.chain.in_flight == 0
        await route.post(CALL)
        assert await route.back(b"<html>", status=502, kind="text/html") == [b"<html>"]
        assert route.chain.in_flight == 0

    run(main)


def test_a_session_may_be_refused():
    async def main():
        route = Route(member("door", on_session=lambda s: Block("closed", 40101)))
        start = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
        answer = await route.post(start)
        assert json.loads(answer.body)["error"] == {"code": 40101, "message": "closed"}
        assert route.chain.in_flight == 0

    run(main)


def test_it_lives_as_an_instance():
    async def main():
        bridge = Route().bridge
        await bridge.start()
        await bridge.health()
        assert await bridge.snapshot() is None
        await bridge.restore(b"")

    run(main)
