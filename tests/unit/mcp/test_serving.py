"""The HTTP side of MCP servers, without a gateway: real processes behind, ASGI before."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from plugbay.mcp import ServerCommand
from plugbay.mcp.serving import (
    Federation,
    FederationSpec,
    McpSpec,
    MemberSpec,
    ServerSpec,
    problems_of,
)
from plugbay.mcp.serving._stream import Stream
from plugbay.mcp.serving._tools_seen import ToolsSeen
from unit.mcp.conftest import request
from unit.mcp.endpoint import Http, Notices, begin, call, modern, serve, server_maker, until


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
        await asyncio.wait_for(held.task, 15)
        assert (await Http(endpoint, "DELETE", mcp_session_id=id).head()).status == 200
        await asyncio.wait_for(third.task, 15)
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


LISTING = """
import json, sys
PAGES = {None: (["a", "b"], "2"), "2": (["c", "x" * 128], None)}
for line in sys.stdin:
    m = json.loads(line)
    method, params = m["method"], m.get("params") or {}
    if "id" not in m:
        continue
    if method == "initialize":
        caps = {"tools": {}, "resources": {}, "logging": {}, "prompts": {}}
        result = {"protocolVersion": "2025-06-18", "capabilities": caps, "instructions": NAME,
                  "serverInfo": {"name": "s", "version": "1"}}
    elif method == "tools/list":
        names, more = PAGES[params.get("cursor")]
        result = {"tools": [{"name": n, "inputSchema": {}} for n in names]}
        if more:
            result["nextCursor"] = more
    elif method == "resources/list":
        uris = ("shared://x", NAME + "://own")
        result = {"resources": [{"uri": uri, "name": "r"} for uri in uris]}
    elif method == "resources/templates/list":
        result = {"resourceTemplates": [{"uriTemplate": NAME + "://t/{id}", "name": "t"}]}
    elif method == "resources/read":
        if not params["uri"].startswith((NAME, "shared")):
            error = {"code": -32002, "message": "Resource not found"}
            print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "error": error}), flush=True)
            continue
        result = {"contents": [{"uri": params["uri"], "text": NAME}]}
    elif method == "completion/complete":
        result = {"completion": {"values": [NAME, json.dumps(params["ref"])]}}
    elif method == "prompts/get":
        result = {"messages": [], "description": params["name"]}
    elif method == "tools/call" and params["name"] == "log":
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message",
                          "params": {"level": "info", "logger": "l", "data": 1}}), flush=True)
        result = {"content": []}
    elif method == "tools/call" and params["name"] == "die":
        sys.exit(4)
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": result}), flush=True)
"""


@pytest.fixture
def union(tmp_path):
    """A federation of two servers that say their names."""

    def make(owner, when_down="degrade", **policy):
        makers = {}
        for name in ("one", "two"):
            path = tmp_path / f"{name}.py"
            path.write_text(f"NAME = {name!r}\n{LISTING}")

            def make_server(member, path=path):
                kept = server_maker(**policy)(member)
                kept.command = ServerCommand(name="s", command=(sys.executable, str(path)))
                return kept

            makers[name] = make_server
        members = tuple(MemberSpec(server=name) for name in makers)
        spec = FederationSpec(name="union", members=members, when_down=when_down)
        return Federation(spec, makers, owner)

    return make


def federate(work, make):
    async def with_session(endpoint):
        id = await begin(endpoint)
        numbers = iter(range(1, 1000))

        async def ask(method, **params):
            body = request(next(numbers), method, **params)
            http = await Http(endpoint, "POST", body, mcp_session_id=id).head()
            found = []
            while not found or "method" in found[-1]:
                found.append(await http.message())
            last = found[-1]
            return last["result"] if "result" in last else last["error"], found[:-1]

        await work(ask)

    serve(with_session, make)


def test_lists_are_merged_page_by_page_and_names_have_prefixes(union):
    async def work(ask):
        first, _ = await ask("tools/list")
        assert [t["name"] for t in first["tools"]] == ["one__a", "one__b", "two__a", "two__b"]
        second, _ = await ask("tools/list", cursor=first["nextCursor"])
        assert [t["name"] for t in second["tools"]] == ["one__c", "two__c"]
        assert len(second["_meta"]["plugbay/left_out"]) == 2
        assert "nextCursor" not in second
        wrong, _ = await ask("tools/list", cursor="nonsense")
        assert wrong["code"] == -32602
        assert (await ask("prompts/get", name="two__p"))[0]["description"] == "p"
        assert (await ask("prompts/get", name="p"))[0]["message"] == "Unknown prompt: p"
        assert (await ask("ping"))[0] == {}
        assert (await ask("logging/setLevel", level="info"))[0] == {}
        assert (await ask("tasks/list"))[0]["code"] == -32601

    federate(work, union)


def test_resources_keep_their_uris_and_go_to_who_has_them(union):
    async def work(ask):
        listed, _ = await ask("resources/list")
        assert [r["uri"] for r in listed["resources"]] == ["shared://x", "one://own", "two://own"]
        assert listed["_meta"] == {"plugbay/left_out": ["shared://x"]}
        await ask("resources/templates/list")
        for uri, name in (
            ("shared://x", "one"),
            ("two://own", "two"),
            ("two://t/5", "two"),
            ("two://unlisted", "two"),
        ):
            assert (await ask("resources/read", uri=uri))[0]["contents"][0]["text"] == name
        assert (await ask("resources/read", uri="three://x"))[0]["code"] == -32002
        ref = {"type": "ref/prompt", "name": "two__p"}
        values = (await ask("completion/complete", ref=ref, argument={}))[0]["completion"]["values"]
        assert values == ["two", '{"type": "ref/prompt", "name": "p"}']
        ref = {"type": "ref/resource", "uri": "two://t/{id}"}
        values = (await ask("completion/complete", ref=ref, argument={}))[0]["completion"]["values"]
        assert values[0] == "two"

    federate(work, union)


def test_logs_say_whose_they_are_and_a_dead_member_is_said(union):
    async def work(ask):
        _, said = await ask("tools/call", name="two__log")
        assert said[0]["params"]["logger"] == "two__l"
        died, _ = await ask("tools/call", name="two__die")
        assert died["code"] == 50301
        found, _ = await ask("tools/list")
        assert [one["server"] for one in found["_meta"]["plugbay/unavailable"]] == ["two"]
        assert [tool["name"] for tool in found["tools"]] == ["one__a", "one__b"]

    federate(work, lambda owner: union(owner, restart="never"))


def test_a_federation_may_refuse_lists_while_a_member_is_down(union):
    def make(owner):
        found = union(owner, when_down="refuse")
        found.members["two"].backend.command = ServerCommand(name="no", command=("no-such",))
        return found

    async def work(ask):
        error, _ = await ask("tools/list")
        assert error["code"] == 50301
        assert "two: there is no command" in error["message"]
        assert (await ask("prompts/get", name="one__p"))[0]["description"] == "p"
        assert (await ask("prompts/get", name="two__p"))[0]["code"] == 50301

    federate(work, make)


def test_what_the_settings_may_not_say():
    server = ServerSpec(name="a", command="x")
    spec = McpSpec(
        servers=(server, server, ServerSpec(name="A b", command="", crashes=0, max_sessions=0)),
        federations=(
            FederationSpec(name="up", members=()),
            FederationSpec(
                name="f",
                members=(
                    MemberSpec(server="a"),
                    MemberSpec(server="a"),
                    MemberSpec(server="b"),
                    MemberSpec(url="ftp://x", prefix="u"),
                    MemberSpec(prefix="n"),
                    MemberSpec(server="a", prefix="x__y"),
                ),
            ),
        ),
    )
    found = [(problem.pointer, problem.detail) for problem in problems_of(spec, ["up"])]
    assert found == [
        ("/mcp/servers/1/name", "the name is used twice"),
        ("/mcp/servers/2/name", "no name"),
        ("/mcp/servers/2", "limits are more than 0"),
        ("/mcp/federations/0/name", "the name is used twice"),
        ("/mcp/servers/2/command", "there is no command"),
        ("/mcp/servers/2", "bounds of the breaker are more than 0"),
        ("/mcp/federations/0/members", "a federation needs at least one member"),
        (
            "/mcp/federations/1/members/1/prefix",
            "two members have the same prefix: their tools could not be told apart",
        ),
        ("/mcp/federations/1/members/2/server", "no such server"),
        ("/mcp/federations/1/members/3/url", "not a URL"),
        ("/mcp/federations/1/members/4", "it needs either server or url"),
        ("/mcp/federations/1/members/5/prefix", "no prefix"),
    ]


def test_the_names_of_tools_are_kept_as_a_client_was_told():
    seen = ToolsSeen()

    def answered(raw, **params):
        stream = Stream(1)
        seen.expect(stream, json.dumps({"method": "tools/list", "params": params}).encode())
        stream.end(raw)
        return seen.names

    def page(*names):
        return json.dumps({"result": {"tools": [{"name": name} for name in names]}}).encode()

    assert answered(page("a", "b")) == ("a", "b")
    assert answered(page("b", "c"), cursor="x") == ("a", "b", "c")
    for odd in (b'{"error":{}}', b'{"result":{"tools":', b'{"result":' + b"[" * 9999):
        assert answered(odd) == ("a", "b", "c")
    assert answered(b'{"result":{"tools":[1,{"name":7}]}}') == ("", "7")
    assert len(answered(page(*range(999)))) == 200
