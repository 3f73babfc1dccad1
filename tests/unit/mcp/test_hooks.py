"""Plugins in the path of messages: what they may do, in which order, and when they fail."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from plugbay.kernel import Generation, Hook
from plugbay.mcp import Chain, Conversation, Current, Member, Observers, Sent
from plugbay.observability import Registry
from plugbay.sdk import API, Block, Manifest, Mcp, McpFilter, McpSession, Order


class Instance:
    """A plugin's instance with the hooks that a test gives."""

    def __init__(self, hooks):
        self.hooks = {
            name: Hook(call, asyncio.iscoroutinefunction(call)) for name, call in hooks.items()
        }


async def unloadable(_):
    raise RuntimeError("it is built by hand")


def member(id, mode="guard", *, priority=500, closed=None, targets=(), ms=250, number=1, **hooks):
    manifest = Manifest(
        id=id,
        version="1.0.0",
        api=API,
        runtime="python",
        entry="x:Y",
        provides=("mcp-filter",),
        mcp=Mcp(mode=mode, hook_ms=ms, targets=targets),
    )
    generation = Generation(id, number, "", 1, manifest, unloadable)
    generation.instance = Instance(hooks)
    closed = mode in ("guard", "check") if closed is None else closed
    return Member(id=id, generation=generation, order=Order(priority=priority), closed=closed)


class Talk:
    """A conversation whose two sides are the test."""

    def __init__(self, *members, strict=True):
        self.chain = Chain(members, Registry(), time.perf_counter)
        self.current = Current(self.chain)
        self.observers = Observers()
        self.session = McpSession(id="s", server="test", identity="ann")
        self.conversation = Conversation(self.current, self.session, self.observers, strict=strict)

    async def pass_(self, direction, message):
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        sent = self.conversation.receive(direction, raw)
        return sent if isinstance(sent, Sent) else await sent.run()

    async def up(self, method, id=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if id is not None:
            message["id"] = id
        return await self.pass_("to-server", message)

    async def down(self, id, **result):
        return await self.pass_("to-client", {"jsonrpc": "2.0", "id": id, "result": result})

    async def call(self, name="echo", id=1, **arguments):
        return await self.up("tools/call", id, name=name, arguments=arguments)


def run(work):
    return asyncio.run(work())


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


def boom(_):
    raise ValueError("boom")


async def slow(_):
    await asyncio.sleep(30)


@pytest.mark.parametrize("hook", [boom, slow])
@pytest.mark.parametrize(
    ("mode", "blocks"), [("guard", True), ("check", True), ("transform", False)]
)
def test_a_plugin_that_fails_harms_by_its_policy_only(mode, blocks, hook):
    async def main():
        talk = Talk(member("bad", mode, ms=20, on_tool_call=hook))
        sent = await talk.call()
        assert bool(sent.back) is blocks
        assert bool(sent.forward) is not blocks
        if blocks:
            facts = json.loads(sent.back)["result"]["_meta"]["plugbay/block"]
            assert facts["code"] == 50001
        talk = Talk(member("bad", mode, ms=20, closed=not blocks, on_tool_call=hook))
        assert bool((await talk.call()).back) is not blocks

    run(main)


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("check", lambda m: m.with_arguments({})),
        ("transform", lambda m: Block("no")),
        ("guard", lambda m: "nonsense"),
    ],
)
def test_an_answer_that_the_mode_does_not_allow_is_a_failure(mode, answer):
    async def main():
        one = member("bad", mode, closed=True, on_tool_call=answer)
        talk = Talk(one)
        facts = json.loads((await talk.call()).back)["result"]["_meta"]["plugbay/block"]
        assert facts["code"] == 50001
        assert one.generation.vitals.failures == 1

    run(main)


def test_a_plugin_that_does_not_run_is_not_passed_over():
    async def main():
        gone = member("gone", on_tool_call=lambda m: None)
        gone.generation.instance = None
        assert json.loads((await Talk(gone).call()).back)["result"]["isError"]

    run(main)


def test_what_hooks_did_is_counted_when_somebody_looks():
    asked = 300  # more than are noted at once

    def fail_once(message):
        if message.id == 7:
            raise ValueError("seven")

    def change_one(message):
        return message.with_arguments({"changed": True}) if message.id == 9 else None

    async def main():
        names, hooks = ("first", "frail", "change", "last"), (None, fail_once, change_one, None)
        members = [
            member(name, priority=n, closed=False, on_tool_call=hook or (lambda m: None))
            for n, (name, hook) in enumerate(zip(names, hooks, strict=True))
        ]
        talk = Talk(*members)
        changed = [id for id in range(asked) if b"changed" in (await talk.call(id=id)).forward]
        assert changed == [9]
        for link in talk.chain.links:
            link.vitals.settle()
            failed = int(link.id == "frail")
            assert (link.vitals.calls, link.vitals.failures) == (asked, failed)
            assert (link.series.passed, link.series.failed) == (asked - failed, failed)
            assert link.series.duration.count == asked - failed
        talk.conversation.close()
        talk.current.install(Chain((), Registry(), time.perf_counter))
        assert not any(link.vitals.behind or link.series.behind for link in talk.chain.links)

    run(main)


def test_a_large_request_without_room_for_its_file_stays_in_memory(monkeypatch, tmp_path):
    looked = []

    def look(message):
        looked.append(len(message.request.arguments["text"]))

    async def main():
        talk = Talk(member("look", on_tool_result=look))
        for id, folder in enumerate((tmp_path, tmp_path / "missing")):
            monkeypatch.setattr("tempfile.tempdir", str(folder))
            await talk.call(id=id, text="x" * 2_000_000)
            await talk.down(id, content=[])

    run(main)
    assert looked == [2_000_000, 2_000_000]


def test_checks_run_at_once_and_the_first_block_wins():
    async def main():
        async def wait(message):
            await asyncio.sleep(5)

        async def no(message):
            return Block("no")

        talk = Talk(
            member("a", "check", ms=10_000, on_tool_call=wait),
            member("b", "check", on_tool_call=no),
        )
        async with asyncio.timeout(4):
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


def test_a_response_that_nobody_waits_for_is_dropped_where_all_pass():
    async def main():
        assert await Talk().down(5) == Sent()
        assert (await Talk(strict=False).down(5)).forward
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "?"}}
        assert (await Talk().pass_("to-client", error)).forward

    run(main)


def test_ids_of_both_directions_may_collide_and_keep_their_type():
    async def main():
        seen = []
        talk = Talk(member("look", on_message=lambda m: seen.append((m.method, m.kind))))
        await talk.call(id=1)
        await talk.pass_("to-client", {"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
        await talk.up("ping", "1")
        await talk.pass_("to-server", {"jsonrpc": "2.0", "id": 1, "result": {}})
        await talk.down("1")
        await talk.down(1)
        assert [method for method, kind in seen if kind == "response"] == [
            "roots/list",
            "ping",
            "tools/call",
        ]

    run(main)


def test_a_cancelled_call_does_not_hold_a_generation_and_its_late_result_is_still_told():
    async def main():
        seen = []
        talk = Talk(member("look", on_tool_result=lambda m: seen.append(m.request.target)))
        await talk.call("later", id=1)
        assert talk.chain.in_flight == 1
        await talk.up("notifications/cancelled", requestId=1)
        assert talk.chain.in_flight == 0
        assert (await talk.down(1, content=[])).forward
        assert seen == ["later"]
        assert talk.chain.in_flight == 0

    run(main)


def test_a_call_that_was_cancelled_while_its_hooks_wait_goes_nowhere():
    async def main():
        go = asyncio.Event()

        async def wait(message):
            await go.wait()

        talk = Talk(member("slow", ms=5000, on_tool_call=wait))
        raw = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}'
        waiting = talk.conversation.receive("to-server", raw)
        assert waiting.detachable
        task = asyncio.create_task(waiting.run())
        await asyncio.sleep(0)
        assert await talk.up("notifications/cancelled", requestId=1) == Sent()
        go.set()
        assert await task == Sent()
        assert talk.chain.in_flight == 0

    run(main)


def test_an_exchange_ends_in_the_chain_that_it_began_in():
    async def main():
        old = member("p", on_tool_result=lambda m: m.replace(result={"by": 1}))
        new = member("p", number=2, on_tool_result=lambda m: m.replace(result={"by": 2}))
        talk = Talk(old)
        await talk.call(id=1)
        talk.current.install(Chain([new], Registry(), time.perf_counter))
        await talk.call(id=2)
        assert old.generation.in_flight == 1
        assert json.loads((await talk.down(2)).forward)["result"] == {"by": 2}
        assert json.loads((await talk.down(1)).forward)["result"] == {"by": 1}
        assert not old.generation.holders
        assert old.generation.dropped == 0

    run(main)


def test_a_call_that_outlasts_the_drain_goes_on_in_the_new_generation():
    async def main():
        old = member("p", on_tool_result=lambda m: m.replace(result={"by": 1}))
        new = member("p", number=2, on_tool_result=lambda m: m.replace(result={"by": 2}))
        talk = Talk(old)
        await talk.call(id=1)
        talk.current.install(Chain([new], Registry(), time.perf_counter))

        class Clock:
            monotonic = staticmethod(time.monotonic)

        await old.generation.drained(0.01, Clock())
        assert old.generation.in_flight == 0
        assert old.generation.dropped == 0
        assert new.generation.in_flight == 1
        assert json.loads((await talk.down(1)).forward)["result"] == {"by": 2}
        assert new.generation.in_flight == 0

    run(main)


def test_calls_wait_while_a_plugin_is_stopped_for_an_exclusive_swap():
    async def main():
        one = member("p", on_message=lambda m: None)
        talk = Talk(one)
        await talk.call(id=1)
        one.generation.park()
        # What belongs to the call in flight passes: the swap waits for the call.
        ask = {"jsonrpc": "2.0", "id": 5, "method": "roots/list"}
        assert (await talk.pass_("to-client", ask)).forward
        assert (await talk.pass_("to-server", {"jsonrpc": "2.0", "id": 5, "result": {}})).forward
        fresh = asyncio.create_task(talk.call(id=2))
        await asyncio.sleep(0)
        assert not fresh.done()
        assert (await talk.down(1)).forward
        assert one.generation.in_flight == 0
        instance, one.generation.instance = one.generation.instance, None
        note = asyncio.create_task(talk.up("notifications/progress"))
        await asyncio.sleep(0)
        assert not note.done()
        one.generation.instance = instance
        one.generation.unpark()
        assert (await fresh).forward
        assert (await note).forward

    run(main)


def test_a_server_that_asks_without_end_holds_no_memory():
    async def main():
        talk = Talk(member("p", on_message=lambda m: None))
        for id in range(10_050):
            await talk.pass_("to-client", {"jsonrpc": "2.0", "id": id, "method": "roots/list"})
        assert talk.chain.in_flight == 10_000
        answer = {"jsonrpc": "2.0", "id": 10_049, "result": {}}
        assert (await talk.pass_("to-server", answer)).forward
        talk.conversation.close()
        assert talk.chain.in_flight == 0

    run(main)
