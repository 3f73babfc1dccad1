"""Clients of the stateless era (2026-07-28) before servers over stdio, one and several as one."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from plugbay.mcp import ServerCommand
from plugbay.mcp.serving import Federation, FederationSpec, MemberSpec, ServerSpec
from unit.mcp.conftest import request
from unit.mcp.serving.endpoint import META, Http, modern, serve, server_maker, until

SERVER = """
import json, sys
VERSIONS = sys.argv[2].split(",")
SCHEMA = {"type": "object", "properties": {
    "region": {"type": "string", "x-mcp-header": "Region"},
    "count": {"type": "integer", "x-mcp-header": "Count"}}}
ASKED = []
LISTENING = []
def say(**body):
    print(json.dumps({"jsonrpc": "2.0", **body}), flush=True)
for line in sys.stdin:
    m = json.loads(line)
    method, params, id = m.get("method"), m.get("params") or {}, m.get("id")
    meta = params.get("_meta") or {}
    if id is None:
        if method == "notifications/cancelled" and params["requestId"] in LISTENING:
            LISTENING.remove(params["requestId"])
        continue
    version = meta.get("io.modelcontextprotocol/protocolVersion")
    if method == "server/discover" and "2026-07-28" not in VERSIONS:
        say(id=id, error={"code": -32601, "message": "Method not found"})
    elif version is not None and version not in VERSIONS:
        say(id=id, error={"code": -32022, "message": "no", "data": {"supported": VERSIONS}})
    elif method == "server/discover":
        caps = {"tools": {}, "logging": {}} if sys.argv[1] == "one" else {"prompts": {}}
        say(id=id, result={"supportedVersions": VERSIONS, "capabilities": caps, "ttlMs": 5,
                           "cacheScope": "public", "resultType": "complete"})
    elif method == "tools/list":
        ASKED.append(method)
        more = {"nextCursor": "2"} if not params.get("cursor") else {}
        name = "tool" if params.get("cursor") else "other"
        say(id=id, result={"tools": [{"name": name, "inputSchema": SCHEMA}], "ttlMs": 9,
                           "cacheScope": "private", "resultType": "complete", **more})
    elif method == "subscriptions/listen":
        LISTENING.append(id)
        key = "io.modelcontextprotocol/subscriptionId"
        told = {"_meta": {key: id}, "notifications": params["notifications"]}
        say(method="notifications/subscriptions/acknowledged", params=told)
    elif method == "tools/call" and params["name"] == "change":
        key = "io.modelcontextprotocol/subscriptionId"
        for one in LISTENING:
            say(method="notifications/tools/list_changed", params={"_meta": {key: one}})
        say(id=id, result={"content": [], "resultType": "complete"})
    elif method == "tools/call" and params["name"] == "die":
        sys.exit(4)
    elif method == "tools/call" and params["name"] == "need" and "inputResponses" not in params:
        ask = {"who": {"method": "elicitation/create", "params": {}}}
        say(id=id, result={"resultType": "input_required", "inputRequests": ask,
                           "requestState": sys.argv[1]})
    else:
        found = [sys.argv[1], len(ASKED), params.get("requestState")]
        say(id=id, result={"content": [{"type": "text", "text": json.dumps(found)}],
                           "resultType": "complete"})
"""
BOTH = "2025-11-25,2026-07-28"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture
def make(tmp_path):
    """Make what starts the server under a name, with the versions that it speaks."""
    path = tmp_path / "server.py"
    path.write_text(SERVER)

    def maker(name, versions=BOTH):
        def start(owner):
            kept = server_maker()(owner)
            command = (sys.executable, str(path), name, versions)
            kept.command = ServerCommand(name=name, command=command, bound=True)
            return kept

        return start

    return maker


def union(make, **versions):
    """A federation of servers by their names, with the versions that each speaks."""
    members = tuple(MemberSpec(server=name) for name in versions)
    makers = {name: make(name, spoken) for name, spoken in versions.items()}
    spec = FederationSpec(name="union", members=members)
    return lambda owner: Federation(spec, makers, owner)


def ask(endpoint, id, method, params=None, /, version="2026-07-28", **fields):
    meta = {**META, "io.modelcontextprotocol/protocolVersion": version}
    body = request(id, method, **(params or {}), _meta=meta)
    fields = {"mcp_protocol_version": version, "mcp_method": method, **fields}
    return Http(endpoint, "POST", body, **fields)


async def answer(http):
    """The last message of a response."""
    await http.head()
    while "method" in (found := await http.message()):
        pass
    return found


def said(found):
    return json.loads(found["result"]["content"][0]["text"])


def test_header_fields_say_what_the_arguments_of_a_call_say(make):
    async def work(endpoint):
        for arguments, fields, wrong in (
            ({"region": "eu"}, {"mcp_param_region": "eu"}, ""),
            ({"region": "é"}, {"mcp_param_region": "=?base64?w6k=?="}, ""),
            (
                {"region": "eu", "count": 42},
                {"mcp_param_region": "eu", "mcp_param_count": "42.0"},
                "",
            ),
            ({"region": "eu"}, {"mcp_param_region": "us"}, "does not say"),
            ({"region": "eu"}, {}, "mcp-param-region is missing"),
            ({}, {"mcp_param_count": "1"}, "does not say"),
            ({"count": 1}, {"mcp_param_count": "1", "mcp_param_other": "x"}, ""),
            ({"unknown": "x"}, {}, ""),
        ):
            params = {"name": "tool", "arguments": arguments}
            http = ask(endpoint, 1, "tools/call", params, mcp_name="tool", **fields)
            found = await answer(http)
            if wrong:
                assert (http.status, found["error"]["code"]) == (400, -32020)
                assert wrong in found["error"]["message"]
            else:
                assert http.status == 200, found
        # Asked once, and anew for what did not agree: two pages each.
        assert said(await answer(modern(endpoint, 2, "tool")))[1] == 8

    serve(work, make("one"))


def test_what_the_era_has_not_is_refused(make):
    async def work(endpoint):
        http = ask(endpoint, 1, "initialize", {})
        assert ((await answer(http))["error"]["code"], http.status) == (-32601, 404)
        http = ask(endpoint, 2, "tools/list", version="2099-01-01")
        error = (await answer(http))["error"]
        assert (error["code"], http.status) == (-32022, 400)
        assert "2026-07-28" in error["data"]["supported"]

    serve(work, make("one"))
    serve(work, union(make, one=BOTH, two=BOTH))


def test_a_federation_is_discovered_and_asked_without_a_session(make):
    async def work(endpoint):
        found = (await answer(ask(endpoint, 1, "server/discover")))["result"]
        assert found["supportedVersions"] == ["2025-11-25", "2026-07-28"]
        assert set(found["capabilities"]) == {"tools", "logging", "prompts"}
        assert (found["ttlMs"], found["cacheScope"]) == (5, "public")
        http = ask(endpoint, 2, "ping")
        assert ((await answer(http))["error"]["code"], http.status) == (-32601, 404)
        listed = (await answer(ask(endpoint, 3, "tools/list")))["result"]
        assert [tool["name"] for tool in listed["tools"]] == ["one__other"]
        assert (listed["ttlMs"], listed["cacheScope"]) == (9, "private")
        # A round trip for input comes back to the member that wanted it.
        params = {"name": "two__need", "arguments": {}}
        first = (await answer(ask(endpoint, 4, "tools/call", params, mcp_name="two__need")))[
            "result"
        ]
        assert (first["resultType"], first["requestState"]) == ("input_required", "two")
        again = {**params, "inputResponses": {"who": {}}, "requestState": first["requestState"]}
        done = await answer(ask(endpoint, 5, "tools/call", again, mcp_name="two__need"))
        assert said(done)[0::2] == ["two", "two"]
        # The fields of a member's tool are those of the federation's.
        params = {"name": "one__tool", "arguments": {"region": "eu"}}
        named = {"mcp_name": "one__tool", "mcp_param_region": "us"}
        http = ask(endpoint, 6, "tools/call", params, **named)
        assert ((await answer(http))["error"]["code"], http.status) == (-32020, 400)

    serve(work, union(make, one=BOTH, two=BOTH))


def test_a_subscription_hears_all_members_and_that_one_went_and_came_back(make):
    async def work(endpoint):
        await answer(ask(endpoint, 1, "server/discover"))
        wanted = {"notifications": {"toolsListChanged": True}}
        listening = await ask(endpoint, "sub", "subscriptions/listen", wanted).head()
        first = await listening.message()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["_meta"] == {SUBSCRIPTION: "sub"}
        await answer(modern(endpoint, 2, "one__change"))
        changed = await listening.message()
        assert changed["method"] == "notifications/tools/list_changed"
        assert changed["params"]["_meta"] == {SUBSCRIPTION: "sub"}
        died = (await answer(modern(endpoint, 3, "one__die")))["error"]
        assert died["code"] == 50301
        gone, back = await listening.message(), await listening.message()
        assert gone["method"] == back["method"] == changed["method"]
        await answer(modern(endpoint, 4, "one__change"))  # by the process that came after it
        assert (await listening.message())["params"]["_meta"] == {SUBSCRIPTION: "sub"}
        await listening.leave()

    serve(work, union(make, one=BOTH, two=BOTH))


def test_members_of_both_eras_are_one_server_by_sessions(make):
    async def work(endpoint):
        http = ask(endpoint, 1, "server/discover")
        assert ((await answer(http))["error"]["code"], http.status) == (-32601, 404)
        http = ask(endpoint, 2, "tools/list")
        error = (await answer(http))["error"]
        assert (error["code"], error["data"]["supported"]) == (-32022, ["2025-11-25"])
        begin = request("i", "initialize", protocolVersion="2025-11-25", capabilities={})
        http = Http(endpoint, "POST", begin)
        assert "result" in await answer(http)
        id = http.headers["mcp-session-id"]
        call = request(1, "tools/call", name="old__x", arguments={})
        assert said(await answer(Http(endpoint, "POST", call, mcp_session_id=id)))[0] == "old"

    serve(work, union(make, one=BOTH, old="2025-11-25"))


def test_a_changed_server_serves_new_clients_and_the_old_one_ends_when_it_is_not_used(make):
    async def work(endpoint):
        begin = request("i", "initialize", protocolVersion="2025-11-25", capabilities={})
        http = Http(endpoint, "POST", begin)
        await answer(http)
        id = http.headers["mcp-session-id"]
        wanted = {"notifications": {"toolsListChanged": True}}
        listening = await ask(endpoint, "sub", "subscriptions/listen", wanted).head()
        await listening.message()
        endpoint.change(ServerSpec(name="x", command="y", idle=60.0), make("two"))
        over = await listening.message()
        assert over["result"] == {"resultType": "complete", "_meta": {SUBSCRIPTION: "sub"}}
        call = request(1, "tools/call", name="x", arguments={})
        old = Http(endpoint, "POST", call, mcp_session_id=id)
        assert said(await answer(old))[0] == "one"
        assert [session.former for session in endpoint.sessions] == [True]
        assert said(await answer(modern(endpoint, 1, "x")))[0] == "two"
        http = Http(endpoint, "POST", begin)
        await answer(http)
        fresh = Http(endpoint, "POST", call, mcp_session_id=http.headers["mcp-session-id"])
        assert said(await answer(fresh))[0] == "two"
        await until(lambda: not endpoint._former)  # what it was has ended

    serve(work, make("one"), idle=3.0)


def test_a_server_that_is_removed_lets_calls_end_first(make):
    async def work(endpoint):
        held = modern(endpoint, 1, "x")
        drained = asyncio.create_task(endpoint.drain(10.0))
        assert said(await answer(held))[0] == "one"
        await asyncio.wait_for(drained, 100)
        assert not endpoint.busy

    serve(work, make("one"))
