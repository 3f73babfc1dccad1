"""Requests and their responses: which belong together, how they end, and in which chain."""

from __future__ import annotations

import asyncio
import json
import time

from plugbay.mcp import Chain, Sent
from plugbay.observability import Registry
from unit.mcp.talk import Talk, member, run


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
