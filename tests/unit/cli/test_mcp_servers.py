"""`plugbay mcp list|add|remove|restart` and `plugbay export document`."""

from __future__ import annotations

import json

import pytest

SERVER = {
    "name": "time",
    "spec": {"name": "time", "command": "uvx", "args": ["mcp-server-time"]},
    "status": {"state": "resting", "sessions": 2, "requests": 7, "restarts": 5, "error": "code 1"},
}
UNION = {
    "name": "union",
    "spec": {
        "name": "union",
        "members": [{"server": "time", "url": ""}, {"server": "", "url": "http://x"}],
    },
    "status": {"state": "degraded", "sessions": 0, "requests": 0, "down": {"far": "gone"}},
}


@pytest.fixture
def both(api):
    api.on("GET", "/mcp/servers", {"items": [SERVER]})
    api.on("GET", "/mcp/federations", {"items": [UNION, {**UNION, "name": "new", "status": None}]})
    return api


def steps(*ops):
    found = [{"op": op, "kind": "mcp_servers", "name": "time", "differences": []} for op in ops]
    return {"revision": 3, "steps": found}


def test_servers_and_federations_are_listed(both, cli):
    lines = cli("mcp", "list").out.splitlines()
    assert all(word in lines[1] for word in ("time", "resting", "uvx mcp-server-time", "code 1"))
    assert all(word in lines[2] for word in ("union", "degraded", "far: gone"))
    assert "unknown" in lines[3]
    assert cli("mcp", "list", "-o", "json").json["servers"] == [SERVER]


def test_a_server_is_added_with_its_route_as_one_change(api, cli, an_operation):
    api.on("POST", "/plan", steps("add"), etag='"3"')
    api.on("POST", "/apply", an_operation(kind="batch"))
    outcome = cli(
        "mcp", "add", "time", "--path", "/time", "--env", "TZ=UTC", "--", "uvx", "server", "-v"
    )
    assert (outcome.code, "batch" in outcome.out) == (0, True)
    asked = api.seen[-1]
    assert asked.headers["if-match"] == '"3"'
    assert asked.json == {
        "mcp": {
            "servers": [
                {"name": "time", "command": "uvx", "args": ["server", "-v"], "env": {"TZ": "UTC"}}
            ]
        },
        "routes": [{"name": "time", "path": "/time", "mcp": "time"}],
    }
    assert cli("mcp", "add", "time", "--env", "nothing", "--", "uvx").code == 1


@pytest.mark.parametrize("ops", [("replace",), ()])
def test_a_name_that_is_taken_is_refused(api, cli, ops):
    api.on("POST", "/plan", steps(*ops), etag='"3"')
    outcome = cli("mcp", "add", "time", "--", "uvx")
    assert (outcome.code, "time" in outcome.err) == (1, True)
    assert [seen.path for seen in api.seen] == ["/plan"]


def test_a_server_goes_with_its_routes_in_one_change(both, api, cli, an_operation):
    api.on("GET", "/mcp/servers/time", {}, etag='"9"')
    api.on("DELETE", "/mcp/servers/time", an_operation())
    assert cli("mcp", "remove", "time", "--reason", "old").code == 0
    (deleted,) = [seen for seen in api.seen if seen.method == "DELETE"]
    assert deleted.headers["if-match"] == '"9"'
    assert (deleted.query["routes"], deleted.query["reason"]) == ("true", "old")
    assert "no MCP server" in cli("mcp", "remove", "nothing").err


def test_a_server_is_restarted(api, cli):
    api.on("POST", "/mcp/servers/time/restart", {}, 202)
    assert cli("mcp", "restart", "time").out == "time starts anew\n"
    assert cli("mcp", "restart", "other").code == 1


def test_what_there_is_is_written_as_a_document(api, cli, tmp_path):
    api.on("GET", "/document", {"routes": [{"name": "a"}]})
    assert cli("export", "document").json == {"routes": [{"name": "a"}]}
    file = tmp_path / "all.json"
    assert cli("export", "document", file).code == 0
    assert json.loads(file.read_text()) == {"routes": [{"name": "a"}]}
    assert file.stat().st_mode & 0o777 == 0o600
    assert "*.json" in cli("export", "document", tmp_path / "all.toml").err
