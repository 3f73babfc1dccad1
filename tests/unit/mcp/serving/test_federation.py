"""Several servers as one: merged lists, prefixes, and what is said of a member that is down."""

from __future__ import annotations

import sys

import pytest

from plugbay.mcp import ServerCommand
from plugbay.mcp.serving import Federation, FederationSpec, MemberSpec
from unit.mcp.conftest import request
from unit.mcp.serving.endpoint import Http, begin, serve, server_maker

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
