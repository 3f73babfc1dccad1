"""Messages that a plugin and a receiver could read differently: each is one thing, or nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from plugbay.sdk import Block
from unit.mcp.talk import Talk, member, run

V = b'{"jsonrpc":"2.0",'
CALL = b'"method":"tools/call",'
SHUT = {"name": "shut"}


def no_shut(message):
    """Lets no call of the tool `shut` pass."""
    return Block("no") if message.target == "shut" else None


@pytest.mark.parametrize(
    "raw",
    [
        V + b'"id":1,"method":"tools/call","method":"ping","params":{"name":"shut"}}',
        V + b'"id":1,"method":"ping","Method":"tools/call","params":{"name":"shut"}}',
        V + b'"id":1,' + CALL + b'"params":{"name":"shut"},"params":{"name":"open"}}',
        V + b'"id":1,' + CALL + b'"params":{"name":"shut","name":"open"}}',
        V + b'"id":1,' + CALL + b'"params":{"n\\u0061me":"shut","name":"open"}}',
        V + b'"id":1,' + CALL + b'"params":{"name":"open","Name":"shut"}}',
        V + b'"id":1,' + CALL + b'"params":{"name":"open","argument\\u017f":{}}}',
        V + b'"id":1,' + CALL + b'"params":{"name":"open","arguments":{"a":1,"a":2}}}',
        V + b'"id":1,"id":2,' + CALL + b'"params":{"name":"shut"}}',
        V + b'"id":"\\ud800",' + CALL + b'"params":{"name":"shut"},"params":{}}',
        V + CALL + b'"params":{"name":"shut"}}',
        V + b'"id":1,"result":{},' + CALL + b'"params":{"name":"shut"}}',
        b"\xef\xbb\xbf" + V + b'"id":1,' + CALL + b'"params":{"name":"shut"}}',
        (V + b'"id":1,' + CALL + b'"params":{"name":"shut"}}').decode().encode("utf-16"),
    ],
    ids=range(14),
)
def test_a_request_has_one_meaning(raw):
    async def main():
        talk = Talk(member("no", on_tool_call=no_shut))
        sent = await talk.pass_("to-server", raw)
        assert sent.forward == b""
        assert json.loads(sent.back)["error"]["code"] in (-32600, -32700)
        assert talk.chain.in_flight == 0
        assert (await talk.call("open", id=9)).forward  # nothing of it has harmed the session

    run(main)


@pytest.mark.parametrize(
    "inside",
    [
        b'"a":"\xff"',
        b'"a":' + b"9" * 5000,
        b'"\xff":1',
        b'"a":1,"a":2',
    ],
    ids=["text", "number", "name", "twice"],
)
@pytest.mark.parametrize("hooks", ["plain", "waits", "targeted", "observer"])
def test_what_no_plugin_can_read_is_no_fault_of_theirs(inside, hooks):
    async def waits(message):
        await asyncio.sleep(0)
        return no_shut(message)

    async def main():
        plugin = {
            "plain": member("no", on_tool_call=no_shut),
            "waits": member("no", on_tool_call=waits),
            "targeted": member("no", targets=("x",), on_tool_call=no_shut),
            "observer": member("no", "observe", on_tool_call=no_shut),
        }[hooks]
        talk = Talk(plugin)
        sent = await talk.pass_(
            "to-server",
            V + b'"id":1,' + CALL + b'"params":{"name":"shut","arguments":{' + inside + b"}}}",
        )
        if hooks != "observer":
            assert not sent.forward
            error = json.loads(sent.back)
            assert error["id"] == 1
            assert error["error"]["code"] in (-32700, -32600, -32602, 40301)
        await talk.observers.close()
        assert talk.chain.links[0].series.failed == 0
        assert (await talk.call("open", id=9)).forward

    run(main)


def test_what_is_nested_too_deep_where_a_plugin_looks_is_no_fault_of_its():
    def deep(message, level=200):  # the stack is higher there than at the door
        return deep(message, level - 1) if level else no_shut(message)

    async def main():
        talk = Talk(member("no", on_tool_call=deep))
        nested = b"[" * 750 + b"]" * 750
        raw = V + b'"id":1,' + CALL + b'"params":{"name":"open","arguments":{"a":' + nested + b"}}}"
        sent = await talk.pass_("to-server", raw)
        answer = json.loads(sent.back)
        assert (answer["id"], answer["error"]["code"]) == (1, -32700)
        assert talk.chain.links[0].series.failed == 0

    run(main)


@pytest.mark.parametrize("first", [("tools/list", {}), ("tools/call", SHUT)])
@pytest.mark.parametrize("cancelled", [False, True])
def test_an_id_is_used_once(first, cancelled):
    async def main():
        method, params = first
        seen = []
        plugin = member("look", on_list=seen.append, on_tool_result=seen.append)
        talk = Talk(plugin)
        await talk.up(method, 7, **params)
        if cancelled:
            await talk.up("notifications/cancelled", requestId=7)
        sent = await talk.up("ping", 7)
        assert sent.forward == b""
        assert json.loads(sent.back) == {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32600, "message": "Invalid Request: the id is in use"},
        }
        assert (await talk.down(7, tools=[], content=[])).forward
        assert [message.method for message in seen] == [method]
        assert (await talk.up("ping", 7)).forward  # it is free again

    run(main)


def test_an_id_is_used_once_while_hooks_wait():
    async def waits(message):
        await asyncio.sleep(0)

    async def main():
        talk = Talk(member("slow", on_tool_call=waits))
        raw = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": SHUT})
        waiting = talk.conversation.receive("to-server", raw.encode())
        assert b"in use" in (await talk.up("ping", 7)).back
        assert (await waiting.run()).forward

    run(main)


CR = V + b'"id":1,"method":"ping","params":{"x":[\r' + V + b'"id":2}\r]}}'


@pytest.mark.parametrize(
    ("transport", "raw", "forward"),
    [
        ("stdio", CR, CR.replace(b"\r", b" ")),
        ("stdio", V + b'"id":1,"method":"ping"}\r', V + b'"id":1,"method":"ping"}\r'),
        ("http", CR, CR),
    ],
)
@pytest.mark.parametrize("kind", ["request", "response"])
def test_one_line_is_one_message(transport, raw, forward, kind):
    async def main():
        talk = Talk(member("p", on_message=lambda message: None))
        talk.session.transport = transport
        if kind == "request":
            assert (await talk.pass_("to-server", raw)).forward == forward
            return
        await talk.up("ping", 1)
        told, back = (
            one.replace(b'"method":"ping","params"', b'"result"').replace(
                b'"method":"ping"', b'"result":1'
            )
            for one in (raw, forward)
        )
        assert (await talk.pass_("to-client", told)).forward == back

    run(main)


@pytest.mark.parametrize(
    ("method", "result", "hooks"),
    [
        ("tools/list", {"resultType": "input_required", "tools": []}, ["on_list"]),
        ("tools/call", {"content": [], "x": "input_required"}, ["on_tool_result"]),
        ("tools/call", {"resultType": "input_required"}, ["on_server_request"]),
        (
            "tools/call",
            {"resultType": "input_required", "content": []},
            ["on_server_request", "on_tool_result"],
        ),
        (
            "resources/read",
            {"resultType": "input_required", "contents": []},
            ["on_server_request", "on_resource"],
        ),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_result_is_not_made_another_by_a_word(method, result, hooks, escaped):
    async def main():
        seen = []
        names = ("on_list", "on_tool_result", "on_resource", "on_server_request")
        told = {name: lambda m, name=name: seen.append((name, m.kind)) for name in names}
        talk = Talk(member("look", **told))
        await talk.up(method, 1, name="x", uri="x:y")
        seen.clear()
        raw = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        if escaped:
            raw = raw.replace(b"input_", b"input\\u005f").replace(b"Type", b"T\\u0079pe")
        assert (await talk.pass_("to-client", raw)).forward == raw
        assert [name for name, _ in seen] == hooks

    run(main)


@pytest.mark.parametrize(
    "raw",
    [
        V + b'"id":1,"result":{"a":1},"error":{"code":1,"message":"x"}}',
        V + b'"id":1,"result":{"tools":[]},"result":{"tools":[{"name":"x"}]}}',
        V + b'"id":1,"result":{"tools":[{"name":"x","name":"y"}]}}',
        V + b'"id":1,"Result":{},"result":{}}',
        V + b'"id":1,"result":{"tools":"\xff"}}',
    ],
    ids=range(5),
)
@pytest.mark.parametrize("waits", [False, True])
def test_an_answer_with_two_meanings_is_an_error(raw, waits):
    async def look(message):
        assert message.items is not None

    async def main():
        hook = look if waits else lambda message: message.items and None
        talk = Talk(member("look", on_list=hook))
        await talk.up("tools/list", 1)
        sent = await talk.pass_("to-client", raw)
        answer = json.loads(sent.forward)
        assert (answer["id"], answer["error"]["code"]) == (1, -32603)
        assert talk.chain.in_flight == 0
        assert not (await talk.pass_("to-client", raw)).forward  # nobody is answered twice

    run(main)


@pytest.mark.parametrize("what", [{"a": object()}, None], ids=["object", "deep"])
def test_a_plugin_that_returns_what_is_no_json_has_failed(what):
    if what is None:
        what = []
        for _ in range(5000):
            what = [what]
        what = {"a": what}

    async def main():
        talk = Talk(member("bad", on_tool_call=lambda m: m.with_arguments(what)))
        sent = await talk.call("open")
        assert not sent.forward
        assert b"50001" in sent.back
        talk = Talk(member("bad", "transform", on_tool_call=lambda m: m.with_arguments(what)))
        assert (await talk.call("open")).forward

    run(main)
