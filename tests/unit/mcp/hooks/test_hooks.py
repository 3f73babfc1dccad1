"""Plugins in the path of messages: what they may do, and in which order."""

from __future__ import annotations

import asyncio
import json

import pytest

from plugbay.kernel import Unavailable
from plugbay.mcp import Observers, Sent
from plugbay.sdk import Block, McpFilter
from unit.mcp.talk import Talk, member, run


def test_order_is_by_mode_and_priority_and_reversed_on_the_way_back():
    seen = []

    def watch(name):
        return lambda message: seen.append((name, message.direction[3:]))

    async def main():
        talk = Talk(
            member("late", priority=900, on_message=watch("late")),
            member("early", priority=100, on_message=watch("early")),
            member("change", "transform", on_message=watch("change")),
            member("look", "observe", on_message=watch("look")),
            member("check", "check", on_message=watch("check")),
        )
        await talk.call()
        await talk.down(1, content=[])
        await talk.observers.close()

    run(main)
    there = [name for name, side in seen if side == "server"]
    back = [name for name, side in seen if side == "client"]
    assert there == ["check", "early", "late", "change", "look"]
    assert back == ["change", "late", "early", "check", "look"]


def test_each_kind_has_its_hook():
    seen = []
    names = [name for name in vars(McpFilter) if name.startswith("on_")]
    names = [
        name for name in names if name not in ("on_message", "on_session", "on_stderr", "on_exit")
    ]

    def hook(name):
        return lambda message: seen.append((name, message.kind, message.method))

    async def main():
        talk = Talk(member("all", **{name: hook(name) for name in names}))
        await talk.up("initialize", 1, protocolVersion="2025-11-25")
        await talk.down(1, protocolVersion="2025-06-18")
        await talk.up("notifications/initialized")
        await talk.up("tools/list", 2)
        await talk.down(2, tools=[])
        await talk.call(id=3)
        await talk.pass_("to-client", {"jsonrpc": "2.0", "id": 3, "method": "roots/list"})
        await talk.pass_("to-server", {"jsonrpc": "2.0", "id": 3, "result": {"roots": []}})
        await talk.down(3, content=[])
        await talk.call(id="4")
        await talk.down("4", resultType="input_required", inputRequests={})
        await talk.up("prompts/get", 5, name="p")
        await talk.down(5, messages=[])
        await talk.up("resources/read", 6, uri="test://a")
        await talk.down(6, contents=[])
        await talk.up("ping", 7)
        await talk.down(7)
        assert talk.session.era == "handshake"
        assert talk.session.protocol_version == "2025-06-18"
        assert talk.chain.in_flight == 0

    run(main)
    assert [name for name, _, _ in seen] == [
        "on_handshake",
        "on_handshake",
        "on_notification",
        "on_list",
        "on_tool_call",
        "on_server_request",
        "on_tool_result",
        "on_tool_call",
        "on_server_request",
        "on_prompt",
        "on_prompt",
        "on_resource",
        "on_resource",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.25, "0.25 s"), (1.5, "1.5 s"), (59.2, "60 s"), (86399.9, "86400 s")]
)
def test_a_model_reads_when_to_try_again(seconds, said):
    async def main():
        block = Block("not today", 42901, "rate", retry_after=seconds)
        talk = Talk(member("no", on_tool_call=lambda message: block))
        text = json.loads((await talk.call("echo")).back)["result"]["content"][0]["text"]
        assert text == f"not today (try again in {said})"

    run(main)


@pytest.mark.parametrize("modern", [False, True])
def test_a_blocked_call_is_a_result_that_the_model_can_read(modern):
    async def main():
        block = Block("not today", 42901, "rate", retry_after=1.5)
        talk = Talk(member("no", number=7, on_tool_call=lambda message: block))
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"} if modern else {}
        sent = await talk.up("tools/call", 1, name="echo", arguments={}, _meta=meta)
        assert sent.forward == b""
        result = json.loads(sent.back)["result"]
        assert result["isError"] is True
        assert "not today" in result["content"][0]["text"]
        assert "1.5 s" in result["content"][0]["text"]
        assert result.get("resultType") == ("complete" if modern else None)
        facts = result["_meta"]["plugbay/block"]
        assert facts == {
            "plugin": "no",
            "code": 42901,
            "violation": "rate",
            "generation": 7,
            "retry_after_ms": 1500,
        }
        assert talk.chain.in_flight == 0
        assert talk.chain.tally.dropped(0) == 0

    run(main)


@pytest.mark.parametrize(
    ("error", "said", "shown"),
    [
        (Unavailable("the store is away"), "plugin no failed (the store is away) on a mes", False),
        (ValueError("a defect"), "plugin no failed on a message", True),
        (TimeoutError(), "plugin no was late on a message", False),
    ],
)
def test_only_a_defect_of_the_plugin_is_shown_with_where_it_was(caplog, error, said, shown):
    def fails(message):
        raise error

    async def main():
        talk = Talk(member("no", on_tool_call=fails))
        assert b"cannot decide now" in (await talk.call("echo")).back

    run(main)
    (record,) = [one for one in caplog.records if one.name == "plugbay.mcp"]
    assert record.message.startswith(said)
    assert bool(record.exc_info) is shown


def test_other_blocks_are_errors_outside_the_reserved_codes():
    async def main():
        talk = Talk(member("no", on_message=lambda message: Block("no")))
        error = json.loads((await talk.up("resources/list", "x")).back)
        assert error["id"] == "x"
        assert error["error"]["code"] == 40301
        assert error["error"]["data"]["plugbay"]["plugin"] == "no"
        assert await talk.up("notifications/progress") == Sent()
        hidden = Talk(member("h", on_tool_call=lambda m: Block.unknown_tool(m.target)))
        error = json.loads((await hidden.call("secret")).back)["error"]
        assert (error["code"], error["message"]) == (-32602, "Unknown tool: secret")

    run(main)
    with pytest.raises(ValueError, match="belongs to the MCP specification"):
        Block("no", -32010)


def test_a_blocked_result_is_replaced_and_a_blocked_question_is_refused():
    async def main():
        talk = Talk(
            member(
                "no",
                on_tool_result=lambda m: Block("leak"),
                on_server_request=lambda m: Block("ask"),
            )
        )
        await talk.call(id=9)
        sent = await talk.down(9, content=[])
        assert sent.back == b""
        assert json.loads(sent.forward)["result"]["isError"] is True
        ask = {"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage", "params": {}}
        sent = await talk.pass_("to-client", ask)
        assert sent.forward == b""
        assert json.loads(sent.back)["error"]["code"] == 40301
        assert talk.chain.in_flight == 0

    run(main)


def test_changes_and_answers():
    async def main():
        seen = []
        talk = Talk(
            member("first", priority=1, on_tool_result=lambda m: seen.append(m.result["content"])),
            member(
                "cache",
                priority=2,
                on_tool_call=lambda m: (
                    m.answer({"content": ["kept"]})
                    if m.arguments.get("kept")
                    else m.with_arguments({**m.arguments, "added": 1})
                ),
            ),
        )
        sent = await talk.call(id=1, a=2)
        assert json.loads(sent.forward)["params"]["arguments"] == {"a": 2, "added": 1}
        sent = await talk.call(id=2, kept=True)
        assert json.loads(sent.back) == {"jsonrpc": "2.0", "id": 2, "result": {"content": ["kept"]}}
        assert seen == [["kept"]]
        assert talk.chain.in_flight == 1

    run(main)


def test_checks_run_at_once_and_the_first_block_wins():
    async def main():
        async def wait(message):
            await asyncio.sleep(600)

        async def no(message):
            return Block("no")

        talk = Talk(
            member("a", "check", ms=500_000, on_tool_call=wait),
            member("b", "check", on_tool_call=no),
        )
        async with asyncio.timeout(60):
            assert (await talk.call()).back

    run(main)


def test_targets_keep_a_plugin_to_its_tools():
    async def main():
        talk = Talk(member("no", targets=("fs_*",), on_tool_call=lambda m: Block("no")))
        assert (await talk.call("fs_read")).back
        assert (await talk.call("git_log", id=2)).forward

    run(main)


def test_a_full_queue_of_observers_drops_the_oldest():
    async def main():
        seen = []
        talk = Talk(member("look", "observe", on_message=lambda m: seen.append(m.id)))
        talk.observers = talk.conversation.observers = Observers(bound=2)
        for id in range(5):
            await talk.up("ping", id)
        await talk.observers.close()
        assert seen == [3, 4]
        assert talk.observers.dropped == 3
        assert talk.chain.in_flight == 5

    run(main)


def test_large_messages_do_not_gather_before_an_observer_that_is_stuck():
    async def main():
        never, seen = asyncio.Event(), []

        async def stuck(message):
            seen.append(message.id)
            await never.wait()

        talk = Talk(member("look", "observe", ms=60_000, on_message=stuck))
        talk.observers = talk.conversation.observers = Observers(size=10_000)
        for id in range(4):
            await talk.up("ping", id, text="x" * 4000)
            await asyncio.sleep(0)
        assert (seen, talk.observers.dropped) == ([0], 1)
        await talk.up("ping", 5, text="x" * 50_000)  # it is one, however large
        assert talk.observers.dropped == 3
        never.set()
        await talk.observers.close()
        assert seen == [0, 5]

    run(main)


def test_what_observers_were_not_told_by_the_end_counts_as_dropped():
    async def main():
        never = asyncio.Event()

        async def look(_):
            await never.wait()

        talk = Talk(member("look", "observe", on_message=look))
        for id in range(3):
            await talk.up("ping", id)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await talk.observers.close(0.0)
        # It is at the first of them when it is cancelled.
        assert talk.observers.dropped == 2

    run(main)
