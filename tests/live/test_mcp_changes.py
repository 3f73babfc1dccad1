"""MCP servers that come, change and go while the gateway runs; clients that lose connections."""

from __future__ import annotations

import asyncio
import json
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from bench._cutter import Cutter
from bench._gateway import Gateway, wait_for, write_plugin
from tests.live._mcp import (
    BY_HAND,
    FIXTURE,
    MARKS,
    Raw,
    disable,
    enable,
    message,
    route,
    server,
    text_of,
)

from mcp import Client
from plugbay.cli._client import ApiError

pytestmark = MARKS


@pytest.fixture(scope="module")
def gateway():
    """A gateway that runs two servers and a federation, as its file says."""
    union = '[[mcp.federations]]\nname = "union"\nmembers = [{server = "hand"}]\n'
    settings = server("hand", BY_HAND, "first") + server("full", FIXTURE, "stdio") + union
    routes = "".join(route(name) for name in ("hand", "full", "union"))
    with Gateway(settings=settings + routes) as gateway:
        yield gateway


@pytest.fixture
def talk(gateway):
    """Begin sessions that end with the test."""
    made = []

    def begin(path):
        made.append(Raw(gateway, path).initialize())
        return made[-1]

    yield begin
    for one in made:
        if one.session:
            one.delete()
        one.close()


def running(argument):
    """The server's processes that were started with this argument."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(BY_HAND).encode() in words and argument.encode() in words:
                found.append(int(folder.name))
    return found


def status(gateway, kind, name):
    return gateway.client.call("GET", f"/mcp/{kind}/{name}").json


def settings_problem(gateway):
    host, _, port = gateway.facts["metrics"].rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=100)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_servers_follow_the_file_while_sessions_go_on(gateway, talk):
    before = gateway.config.read_text()
    old, joined = talk("/hand"), talk("/union")
    assert len(running("first")) == 2
    more = server("more", BY_HAND, "more") + route("more")
    # Tables of servers and routes stand at the end of the file as well as anywhere.
    changed = before.replace('"first"', '"second"') + more
    gateway.config.write_text(changed)
    wait_for("it is applied", lambda: former(gateway) == 1)
    assert "result" in talk("/more").call(1, "echo")
    assert "result" in old.call(2, "echo")
    assert "result" in joined.call(2, "hand__echo")
    assert running("second") == []
    fresh, both = talk("/hand"), talk("/union")
    assert "result" in fresh.call(1, "echo")
    assert "result" in both.call(1, "hand__echo")
    assert len(running("second")) == 2
    wait_for("so is the federation", lambda: former(gateway, "federations", "union") == 1)

    gateway.config.write_text(changed.replace(f'"{sys.executable}"', '"no-such-command"', 1))
    wait_for("it is refused", lambda: "no-such-command" in settings_problem(gateway))
    assert "result" in fresh.call(2, "echo")
    assert status(gateway, "servers", "hand")["spec"]["command"] == sys.executable

    gateway.config.write_text(changed.replace(more, ""))
    wait_for("its process has ended", lambda: running("more") == [])
    assert "result" in old.call(3, "echo")
    for session in (old, joined):
        assert session.delete() == 200
        session.session = ""
    wait_for("what was first has ended", lambda: running("first") == [])
    assert "result" in fresh.call(3, "echo")
    gateway.config.write_text(before)
    wait_for(
        "it is as before", lambda: "first" in status(gateway, "servers", "hand")["spec"]["args"]
    )
    wait_for("the host knows it", lambda: former(gateway) == 1)


def former(gateway, kind="servers", name="hand"):
    """How many sessions have one of before; as the host tells it once a second."""
    found = status(gateway, kind, name)["status"]
    return found and found["former"]


def test_servers_are_managed_by_the_api(gateway, talk):
    spec = {"name": "own", "command": sys.executable, "args": [str(BY_HAND), "own"]}
    made = gateway.change("PUT", "/mcp/servers/own", spec)
    assert made["state"] in ("succeeded", "draining"), made
    gateway.change("PUT", "/routes/own", {"name": "own", "path": "/own", "mcp": "own"})
    session = talk("/own")
    assert "result" in session.call(1, "echo")
    wait_for("it is told", lambda: status(gateway, "servers", "own")["status"]["sessions"] == 1)
    with pytest.raises(ApiError, match="/env/X: it refers to what is not there"):
        gateway.change("PUT", "/mcp/servers/own", {**spec, "env": {"X": "${secret:none}"}})
    tag = gateway.client.call("GET", "/mcp/servers/hand").headers["etag"]
    with pytest.raises(ApiError, match=r"managed by gateway\.toml"):
        # Waited for: while another change is carried out, this one is taken first and refused then.
        gateway.client.call(
            "PUT",
            "/mcp/servers/hand?wait=converged",
            {**spec, "name": "hand"},
            headers={"if-match": tag},
        )
    for path in ("/routes/own", "/mcp/servers/own"):
        tag = gateway.client.call("GET", path).headers["etag"]
        gateway.client.call("DELETE", f"{path}?wait=converged", headers={"if-match": tag})
    wait_for("its process has ended", lambda: running("own") == [])
    session.session = ""


def test_the_official_client_comes_back_for_what_it_has_missed(gateway):
    logged = []

    async def log(params):
        logged.append(params.data)

    async def main(url):
        async with Client(url, mode="legacy", logging_callback=log) as client:
            said = await asyncio.wait_for(client.call_tool("test_tool_with_logging", {}), 100)
            assert text_of(said) == "logged"

    with Cutter(gateway.address, b"processing data") as cutter:
        asyncio.run(main(f"http://{cutter.address}/full"))
    assert (cutter.cuts, cutter.resumed) == (1, True)
    assert [str(one).rpartition(" ")[2] for one in logged] == ["started", "data", "completed"]


def test_answers_that_are_fetched_pass_the_plugins(gateway, talk, tmp_path):
    source = (
        "from plugbay.sdk import McpFilter, Plugin\n\n\n"
        'class Main(Plugin[None], McpFilter):\n    """Hides results."""\n\n'
        '    def on_tool_result(self, message):\n        """Hide it."""\n'
        '        return message.replace(result={"content": [], "hidden": True})\n'
    )
    project = write_plugin(tmp_path, "hide", "1.0.0", source, 'provides = ["mcp-filter"]\n')
    plugin = enable(gateway, project)
    try:
        session = talk("/hand")
        host, _, port = gateway.address.rpartition(":")
        connection = HTTPConnection(host, int(port), timeout=100)
        fields = {
            "accept": "application/json, text/event-stream",
            "mcp-session-id": session.session,
            "mcp-protocol-version": "2025-11-25",
        }
        body = message(7, "tools/call", name="ask", arguments={"id": "q"})
        connection.request("POST", "/hand", json.dumps(body), fields)
        response = connection.getresponse()
        last = response.readline().decode().partition(": ")[2].strip()
        while b"roots/list" not in response.readline():
            pass
        connection.close()
        session.post({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}})
        connection.request("GET", "/hand", headers={**fields, "last-event-id": last})
        replayed = connection.getresponse().read().decode()
        connection.close()
        events = [line for line in replayed.splitlines() if line.startswith("data: {")]
        assert json.loads(events[-1][6:])["result"] == {"content": [], "hidden": True}
    finally:
        disable(gateway, plugin)
