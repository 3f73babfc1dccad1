"""Header fields that repeat arguments follow a body that a plugin has changed."""

from __future__ import annotations

import asyncio
import json

from plugbay.sdk import Response
from unit.mcp.http.route import JSON, RESULT, Route
from unit.mcp.talk import member

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {
            "type": "object",
            "properties": {"count": {"type": "integer", "x-mcp-header": "Count"}},
        },
        "left": {"type": "string"},
    },
}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def call(**arguments):
    params = {"name": "t", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


def changing(arguments):
    def on_tool_call(message):
        return message.with_arguments(arguments)

    return member("a", on_tool_call=on_tool_call)


def sent(arguments, becomes, *, learn=True, **fields):
    """The fields of a call whose arguments a plugin changes."""

    async def main():
        route = Route(changing(becomes))
        if learn:
            await route.post(LIST)
            tools = [{"name": "t", "inputSchema": SCHEMA}]
            await route.back(json.dumps({**RESULT, "result": {"tools": tools}}).encode(), kind=JSON)
        await route.post(call(**arguments), **fields)
        found = dict(route.request.headers)
        return {name: found[name] for name in found if name.startswith("mcp-param-")}

    return asyncio.run(main())


def test_fields_say_what_the_changed_arguments_say():
    became = {"region": "eu", "deep": {"count": 3}}
    fields = sent(
        {"region": "us", "deep": {"count": 2}}, became, mcp_param_region="us", mcp_param_count="2"
    )
    assert fields == {"mcp-param-region": "eu", "mcp-param-count": "3"}


def test_a_field_goes_with_its_argument_and_comes_with_one():
    assert sent({"region": "us"}, {"left": "x"}, mcp_param_region="us") == {}
    assert sent({}, {"region": "münchen"}) == {"mcp-param-region": "=?base64?bcO8bmNoZW4=?="}


def test_a_field_that_said_something_else_is_left_for_the_server_to_refuse():
    fields = sent({"region": "us"}, {"region": "eu"}, mcp_param_region="elsewhere")
    assert fields == {"mcp-param-region": "elsewhere"}


def test_a_field_of_a_tool_that_was_not_listed_follows_the_argument_that_alone_says_it():
    fields = sent({"region": "us", "left": "b"}, {"region": "eu"}, learn=False, mcp_param_r="us")
    assert fields == {"mcp-param-r": "eu"}
    same = {"region": "us", "left": "us"}
    assert sent(same, {"region": "eu"}, learn=False, mcp_param_r="us") == {"mcp-param-r": "us"}


def test_plugins_are_told_that_a_session_is_over():
    ended = []

    async def main():
        route = Route(member("a", on_session_end=lambda session: ended.append(session.id)))
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
        await route.post(body)
        await route.back(b'{"jsonrpc":"2.0","id":1,"result":{}}', mcp_session_id="s1")
        await route.post(b"", method="DELETE", mcp_session_id="s1")
        route.bridge.on_response(route.request, Response(200))
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == ["s1"]
