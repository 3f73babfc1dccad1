"""What one side writes that is JSON only at first sight: it harms nobody else."""

from __future__ import annotations

import json

import pytest

from unit.mcp.serving.endpoint import META, Http, begin, call, modern, serve

FIELDS = {
    "mcp_protocol_version": "2026-07-28",
    "mcp_method": "tools/call",
    "mcp_name": "raw",
}
TWICE = '"result":{},"result":{"content":[]}'
BOTH = '"result":{},"error":{"code":1,"message":"x"}'
SURROGATE = '"result":{"content":[{"type":"text","text":"\\udc80"}]}'
DEEP = '"result":' + "[" * 2000 + "]" * 2000
NOTICES = (
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":' + "9" * 5000 + "}}",
    '{"jsonrpc":"2.0","method":"notifications/progress","params":["\\udc80"]}',
    '{"jsonrpc":"2.0","method":"notifications/message","params":{"_meta":[],"a":"\\udc80"}}',
)


def of_request(number, members):
    return f'{{"jsonrpc":"2.0","id":{json.dumps(number)},{members}}}'


async def answer_of(http):
    """The answer that a response carries, behind what is told before."""
    message = await (await http.head()).message()
    while "id" not in message:
        message = await http.message()
    return message


@pytest.mark.parametrize(("members", "code"), [(TWICE, -32603), (BOTH, -32603), (SURROGATE, None)])
@pytest.mark.parametrize("sessions", [True, False])
def test_an_answer_is_told_or_is_an_error(members, code, sessions):
    async def work(endpoint):
        if sessions:
            about = {"mcp_session_id": await begin(endpoint)}
            body = call("a", "raw", line=of_request("a", members))
        else:
            about = FIELDS
            lines = [of_request(number, members) for number in range(1, 9)]  # one is its own
            body = call("a", "raw", line="\n".join(lines))
            body["params"]["_meta"] = META
        answer = await answer_of(Http(endpoint, "POST", body, **about))
        assert answer["id"] == "a"
        if code is None:
            assert answer["result"]["content"][0]["text"] == "\udc80"
        else:
            assert answer["error"]["code"] == code

    serve(work)


@pytest.mark.parametrize("line", NOTICES)
@pytest.mark.parametrize("sessions", [True, False])
def test_a_notification_that_cannot_be_read_ends_nothing(line, sessions):
    async def work(endpoint):
        id = await begin(endpoint) if sessions else ""
        for tool, arguments in (("raw", {"line": line}), ("echo", {})):
            if sessions:
                body = call(tool, tool, **arguments)
                http = Http(endpoint, "POST", body, mcp_session_id=id)
            else:
                http = modern(endpoint, tool, tool, **arguments)
        assert (await answer_of(http))["id"] == "echo"

    serve(work)


@pytest.mark.parametrize("inside", [b'"\xff"', b"9" * 5000])
def test_a_request_that_cannot_be_read_is_refused(inside):
    async def work(endpoint):
        body = json.dumps({**call(1, "echo", a="?"), "x": 1}).encode().replace(b'"?"', inside)
        http = await Http(endpoint, "POST", body, **FIELDS).head()
        assert http.status == 400
        assert (await http.message())["error"]["code"] == -32700
        assert (await answer_of(modern(endpoint, 2, "echo")))["id"] == 2

    serve(work)


def test_odd_text_may_stand_beside_a_token():
    async def work(endpoint):
        body = call("a", "echo")
        body["params"] |= {"_meta": {**META, "progressToken": 77, "x": "\udc80"}}
        fields = {**FIELDS, "mcp_name": "echo"}
        assert (await answer_of(Http(endpoint, "POST", body, **fields)))["id"] == "a"

    serve(work)
