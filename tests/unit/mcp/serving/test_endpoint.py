"""The HTTP side of MCP servers, without a gateway: real processes behind, ASGI before."""

from __future__ import annotations

import asyncio
import json
import signal

from plugbay.mcp import ServerCommand
from unit.mcp.conftest import request
from unit.mcp.serving.endpoint import Http, Notices, begin, call, modern, serve, server_maker, until


def test_a_question_of_the_server_goes_to_the_open_response_and_its_answer_back():
    async def work(endpoint):
        id = await begin(endpoint)
        http = await Http(endpoint, "POST", call(1, "ask", id="q"), mcp_session_id=id).head()
        assert http.headers["content-type"] == "text/event-stream"
        asked = await http.message()
        assert (asked["id"], asked["method"]) == ("q", "roots/list")
        answer = {"jsonrpc": "2.0", "id": "q", "result": {"roots": []}}
        assert (await Http(endpoint, "POST", answer, mcp_session_id=id).head()).status == 202
        assert json.loads((await http.message())["result"]["content"][0]["text"])["id"] == "q"

    serve(work)


def test_what_belongs_to_no_request_waits_for_the_stream_of_the_session():
    async def work(endpoint):
        id = await begin(endpoint)
        changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        # It is never answered, and says something first.
        held = Http(endpoint, "POST", call(1, "raw", line=json.dumps(changed)), mcp_session_id=id)
        listener = await Http(endpoint, "GET", mcp_session_id=id).head()
        assert await listener.message() == changed
        second = await Http(endpoint, "GET", mcp_session_id=id).head()
        assert second.status == 409
        await listener.leave()
        third = await Http(endpoint, "GET", mcp_session_id=id).head()
        assert third.status == 200
        note = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": 1},
        }
        assert (await Http(endpoint, "POST", note, mcp_session_id=id).head()).status == 202
        await asyncio.wait_for(held.task, 100)
        assert (await Http(endpoint, "DELETE", mcp_session_id=id).head()).status == 200
        await asyncio.wait_for(third.task, 100)
        assert (await Http(endpoint, "GET", mcp_session_id=id).head()).status == 404

    serve(work)


def test_limits_of_ids_of_requests_and_of_messages():
    async def work(endpoint):
        id = await begin(endpoint)
        first = Http(endpoint, "POST", call(1, "hold"), mcp_session_id=id)
        await asyncio.sleep(0)
        again = await Http(endpoint, "POST", call(1, "echo"), mcp_session_id=id).head()
        assert "in use" in (await again.message())["error"]["message"]
        long = call(2, "large", size=200_000)
        large = await Http(endpoint, "POST", long, mcp_session_id=id).head()
        assert (await large.message())["error"]["code"] == -32603
        second = Http(endpoint, "POST", call(3, "hold"), mcp_session_id=id)
        await asyncio.sleep(0)
        third = await Http(endpoint, "POST", call(4, "echo"), mcp_session_id=id).head()
        assert "too many" in (await third.message())["error"]["message"]
        body = await Http(endpoint, "POST", b"x" * 100_001, mcp_session_id=id).head()
        assert body.status == 413
        junk = await Http(endpoint, "POST", b"{oops", mcp_session_id=id).head()
        assert junk.status == 400
        for http in (first, second):
            await http.leave()

    serve(work, max_requests=2)


def test_a_client_that_leaves_its_response_cancels_in_the_stateless_era():
    notices = Notices()

    async def work(endpoint):
        held = modern(endpoint, 1, "hold")
        await until(lambda: endpoint.shared.busy)
        await held.leave()
        assert not endpoint.shared.busy
        # Progress comes under the client's own token, though the server was told another.
        token = {"progressToken": "mine"}
        line = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2}}'
        http = await modern(endpoint, "x", "raw", token, line=line).head()
        assert (await http.message())["params"] == {"progressToken": "mine"}
        await http.leave()
        lost = await modern(endpoint, 9, "kill").head()
        error = (await lost.message())["error"]
        assert (error["code"], error["data"]["plugbay"]["exit"]) == (50301, 137)
        await until(lambda: "restarted" in notices)
        http = await modern(endpoint, 10, "echo", a=1).head()
        assert (await http.message())["id"] == 10

    serve(work, server_maker(notices=notices))


def test_what_is_idle_ends_and_a_server_that_stays_dead_ends_its_session():
    async def work(endpoint):
        id = await begin(endpoint)
        await (await modern(endpoint, 1, "echo").head()).message()
        await until(lambda: not endpoint.sessions and not endpoint.shared.running)
        assert (await Http(endpoint, "GET", mcp_session_id=id).head()).status == 404
        id = await begin(endpoint)
        http = await Http(endpoint, "POST", call(1, "exit"), mcp_session_id=id).head()
        assert (await http.message())["error"]["data"]["plugbay"]["exit"] == 3
        http = await Http(endpoint, "POST", call(2, "echo"), mcp_session_id=id).head()
        assert http.status == 404

    serve(work, server_maker(restart="never"), idle=0.4)


def test_the_signal_that_has_ended_a_server_is_told():
    async def work(endpoint):
        id = await begin(endpoint)
        http = await Http(endpoint, "POST", call(1, "hang up"), mcp_session_id=id).head()
        facts = (await http.message())["error"]["data"]["plugbay"]
        assert facts["exit"] == 128 + signal.SIGHUP

    serve(work, server_maker(restart="never"))


def test_a_command_that_is_not_there_is_a_clear_error():
    def make(owner):
        kept = server_maker(restart="never")(owner)
        kept.command = ServerCommand(name="no", command=("no-such-command",), bound=True)
        return kept

    async def work(endpoint):
        body = request(1, "initialize", protocolVersion="2025-11-25")
        http = await Http(endpoint, "POST", body).head()
        assert "no-such-command" in (await http.message())["error"]["message"]
        http = await modern(endpoint, 1, "echo").head()
        assert "no-such-command" in (await http.message())["error"]["message"]

    serve(work, make)
