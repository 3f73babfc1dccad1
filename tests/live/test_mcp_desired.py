"""MCP servers as desired state: applied from a document, watched, restarted, and gone again."""

from __future__ import annotations

import json
import os
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest
from bench import _gateway
from bench._gateway import Gateway, write_plugin
from tests.live._mcp import BY_HAND, MARKS, Raw, disable, enable, message
from tests.live.conftest import Shell

from plugbay.cli._client import AdminClient, ApiError

pytestmark = MARKS
wait_for = partial(_gateway.wait_for, every=0.2)
"""The host tells how it is once a second."""
SERVER = {"name": "hand", "command": "python3", "args": [str(BY_HAND), "applied"]}
UNION = {"name": "union", "members": [{"server": "hand", "prefix": "h"}]}
ROUTES = [{"name": name, "path": f"/{name}", "mcp": name} for name in ("hand", "union")]
DOCUMENT = {"mcp": {"servers": [SERVER], "federations": [UNION]}, "routes": ROUTES}


@pytest.fixture(scope="module")
def plugbay(tmp_path_factory):
    """Commands of somebody who is signed in to a gateway without MCP servers."""
    with Gateway() as gateway:
        shell = Shell(gateway, tmp_path_factory.mktemp("shell"))
        shell("login", "--password-file", gateway.data / "first-password")
        yield shell


@pytest.fixture
def applied(plugbay):
    """The document, applied; afterwards nothing of MCP is there."""
    change(plugbay.gateway, DOCUMENT)
    yield plugbay.gateway
    change(plugbay.gateway, {"mcp": {}, "prune": True})


def change(gateway, document):
    made = gateway.client.call("POST", "/apply", document, query={"wait": "finished"}).json
    assert made["state"] in ("succeeded", "draining"), made


def host(gateway):
    """The process id of the MCP host; 0 if there is none."""
    try:
        pid = json.loads((gateway.data / "run" / "mcp-host.json").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0
    return int(pid) if b"plugbay.app.mcp_host" in command else 0


def status(gateway, kind, name):
    return gateway.client.call("GET", f"/mcp/{kind}/{name}").json["status"] or {}


def test_a_document_is_planned_applied_and_taken_away(plugbay):
    gateway, wanted = plugbay.gateway, plugbay.folder / "mcp.toml"
    text = (
        f'[[mcp.servers]]\nname = "hand"\ncommand = "python3"\nargs = ["{BY_HAND}", "applied"]\n'
        '[[mcp.federations]]\nname = "union"\nmembers = [{ server = "hand", prefix = "h" }]\n'
        '[[routes]]\nname = "hand"\npath = "/hand"\nmcp = "hand"\n'
    )
    wanted.write_text(text)
    planned = plugbay("plan", wanted, "--check", code=1)
    assert planned.index("mcp_servers") < planned.index("mcp_federations") < planned.index("routes")
    assert "batch  succeeded" in plugbay("apply", wanted)
    session = Raw(gateway, "/hand").initialize()
    assert "result" in session.call(1, "echo")
    session.delete()
    session.close()

    tag = gateway.client.call("GET", "/mcp/servers/hand").headers["etag"]
    gateway.client.call(
        "PUT",
        "/mcp/servers/hand?wait=converged",
        {**SERVER, "idle": 60},
        headers={"if-match": tag},
    )
    assert "/idle: 60.0 → 1800.0" in plugbay("plan", wanted, "--check", code=1)

    wanted.write_text(text.replace('"python3"', '"no-such-command"'))
    for command in ("plan", "apply"):
        said = plugbay(command, wanted, code=1)
        assert "/mcp/servers/0/command: there is no command 'no-such-command'" in said
        assert f"a program in PATH, which is {os.environ['PATH']}" in said
    assert "no command" in plugbay("mcp", "add", "other", "--", "no-such-command", code=1)
    other = {"name": "other", "command": "no-such-command"}
    with pytest.raises(ApiError, match="no command") as refused:
        gateway.client.call("PUT", "/mcp/servers/other", other)
    assert refused.value.problem["errors"][0]["pointer"] == "/command"
    # Who may run nothing here is not told what there is on this machine.
    reads = gateway.client.call("POST", "/tokens", {"name": "reads", "scopes": ["read"]}).json
    reader = AdminClient(gateway.admin_url, reads["secret"])
    assert reader.call("POST", "/plan", {"mcp": {"servers": [other]}}).json["steps"]
    document = gateway.client.call("GET", "/document").json
    planned = gateway.client.call("POST", "/plan", {**document, "prune": True}).json
    assert planned["steps"] == []
    change(gateway, {"mcp": {}, "prune": True})
    wait_for("the MCP host has ended", lambda: not host(gateway))


def test_the_host_ends_with_its_last_server_and_comes_back(plugbay):
    gateway = plugbay.gateway
    change(gateway, {"mcp": {}, "prune": True})
    wait_for("there is no MCP host", lambda: not host(gateway))
    change(gateway, DOCUMENT)
    first = host(gateway)
    assert first
    session = Raw(gateway, "/hand").initialize()
    # The process has to end what is in flight first: this is answered, and then it goes.
    released = plugbay.folder / "released"
    session.connection.request(
        "POST",
        "/hand",
        json.dumps(message(5, "tools/call", name="until", arguments={"path": str(released)})),
        {"accept": "application/json, text/event-stream", "mcp-session-id": session.session},
    )
    wait_for("it is asked", lambda: status(gateway, "servers", "hand").get("busy"))
    change(gateway, {"mcp": {}, "prune": True})
    assert host(gateway) == first
    released.touch()
    assert b"released" in session.connection.getresponse().read()
    session.close()
    wait_for("it has ended", lambda: not Path(f"/proc/{first}").exists())
    assert host(gateway) == 0
    for _ in range(3):  # also while the one before is about to end
        change(gateway, DOCUMENT)
        with_session = Raw(gateway, "/union").initialize()
        assert "result" in with_session.call(1, "h__echo")
        with_session.delete()
        with_session.close()
        change(gateway, {"mcp": {}, "prune": True})
    wait_for("it has ended", lambda: not host(gateway))
    assert gateway.log.read_text().count("Traceback") == 0


def test_the_status_tells_what_goes_wrong_and_a_restart_mends_it(applied, tmp_path):
    gateway = applied
    wait_for("it is told", lambda: status(gateway, "servers", "hand"))
    assert status(gateway, "servers", "hand")["state"] == "stopped"
    direct, joined = Raw(gateway, "/hand").initialize(), Raw(gateway, "/union").initialize()
    try:
        direct.post(message(1, "tools/list"))
        found = wait_for("two processes", lambda: told(gateway, processes=2, requests=1))
        assert (found["state"], found["sessions"], found["error"]) == ("running", 1, "")
        assert (found["versions"], found["tools"][0]) == (["2025-11-25"], "echo")
        assert found["since"] > 1_600_000_000
        assert direct.call(2, "exit", code=7)["error"]["code"] == 50301
        found = wait_for("it was told", lambda: has(gateway, restarts=1))
        assert "code 7" in found["error"]
        back(direct, 3)
        gateway.client.call("POST", "/mcp/servers/hand/restart")
        wait_for("both were restarted", lambda: has(gateway, restarts=3, processes=2))
        back(direct, 100)
        back(joined, 100, "h__echo")
        union = status(gateway, "federations", "union")
        assert (union["state"], union["sessions"], union["down"]) == ("running", 1, {})
    finally:
        for session in (direct, joined):
            session.delete()
            session.close()


def told(gateway, **wanted):
    """The status if it is so, and the tools are known."""
    found = has(gateway, **wanted)
    return found if found and found["tools"] else None


def has(gateway, **wanted):
    found = status(gateway, "servers", "hand")
    return found if wanted.items() <= found.items() else None


def back(session, first, tool="echo"):
    ids = iter(range(first, first + 2000))
    wait_for("it answers again", lambda: "result" in session.call(next(ids), tool))


def test_what_plugins_do_to_messages_is_counted(applied, tmp_path):
    source = (
        "from plugbay.sdk import Block, McpFilter, Plugin\n\n\n"
        'class Main(Plugin[None], McpFilter):\n    """Blocks one tool."""\n\n'
        '    def on_tool_call(self, message):\n        """Block it."""\n'
        '        return Block("no") if message.target == "secret" else None\n'
    )
    project = write_plugin(tmp_path, "no-secrets", "1.0.0", source, 'provides = ["mcp-filter"]\n')
    plugin = enable(applied, project)
    session = Raw(applied, "/hand").initialize()
    try:
        assert session.call(1, "secret")["result"]["isError"] is True
        host, _, port = applied.facts["metrics"].rpartition(":")
        line = 'plugbay_mcp_messages_total{route="hand",what="blocked"} 1'
        wait_for("it is counted", lambda: line in metrics(host, int(port)))
    finally:
        session.delete()
        session.close()
        disable(applied, plugin)


def metrics(host, port):
    connection = HTTPConnection(host, port, timeout=100)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
