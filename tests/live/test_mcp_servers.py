"""MCP servers that the gateway runs itself, and several as one, with the official SDK's client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from http.client import HTTPConnection
from pathlib import Path

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from tests.live._mcp import (
    BY_HAND,
    FIXTURE,
    MARKS,
    PLUGINS,
    Raw,
    disable,
    enable,
    fixture_over_http,
    message,
    route,
    server,
    text_of,
)

from mcp import Client

pytestmark = MARKS


@pytest.fixture(scope="module")
def remote():
    """The fixture over HTTP, as a member of a federation."""
    with fixture_over_http() as address:
        yield f"http://{address}/mcp"


@pytest.fixture(scope="module")
def gateway(remote):
    """A gateway that runs three servers, and a federation of two of them and a remote one."""
    settings = (
        server("full", FIXTURE, "stdio")
        + server("hand", BY_HAND, idle=600.0, max_sessions=3)
        + server("frail", BY_HAND, crashes=2, crash_rest=3.0, crash_window=60.0)
        + '[[mcp.federations]]\nname = "union"\nmembers = [{server = "full"}, '
        + f'{{server = "frail"}}, {{url = "{remote}", prefix = "far"}}]\n'
        + "".join(route(name) for name in ("full", "hand", "frail", "union"))
    )
    with Gateway(settings=settings) as gateway:
        yield gateway


@pytest.fixture
def url(gateway):
    return f"http://{gateway.address}"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_of_both_eras_with_a_server_over_stdio(url, mode):
    heard = []

    async def hear(progress, total, message):
        heard.append(progress)

    async def main():
        async with Client(f"{url}/full", mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"test_simple_text", "test_sampling"} <= tools
            said = await client.call_tool("test_simple_text", {})
            assert text_of(said) == "This is a simple text response for testing."
            assert (await client.read_resource("test://static-text")).contents
            await client.call_tool("test_tool_with_progress", {}, progress_callback=hear)

    asyncio.run(main())
    assert heard


def test_questions_of_the_server_reach_the_client_of_its_session(url):
    async def respond(context, params):
        from mcp.types import ElicitResult

        return ElicitResult(action="accept", content={"response": "yes"})

    async def main():
        async with Client(f"{url}/full", mode="legacy", elicitation_callback=respond) as client:
            said = await client.call_tool("test_elicitation", {"message": "well?"})
            assert "yes" in text_of(said)

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_federation_is_one_server(url, mode):
    async def main():
        async with Client(f"{url}/union", mode=mode) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            assert {"full__test_simple_text", "frail__echo", "far__test_simple_text"} <= set(tools)
            for member in ("full", "far"):
                said = await client.call_tool(f"{member}__test_simple_text", {})
                assert text_of(said) == "This is a simple text response for testing."
            said = await client.call_tool("frail__echo", {"a": 1})
            assert json.loads(text_of(said)) == {"a": 1}
            assert (await client.read_resource("test://static-text")).contents
            with pytest.raises(Exception, match="Unknown tool: nobody__x"):
                await client.call_tool("nobody__x", {})

    asyncio.run(main())


@pytest.fixture
def talk(gateway):
    """Begin sessions that end with the test."""
    made = []

    def begin(path):
        made.append(Raw(gateway, path))
        return made[-1]

    yield begin
    for one in made:
        if one.session:
            one.delete()
        one.close()


def host_of(gateway):
    """The process id of the MCP host, None between two of them."""
    try:
        return json.loads((gateway.data / "run" / "mcp-host.json").read_text())
    except FileNotFoundError:
        return None


def children_of(pid):
    """The servers of a host, with what they were started by."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found[int(folder.name)] = (folder / "cmdline").read_bytes()
            except (OSError, ValueError, IndexError):
                continue
    return found


def running(gateway, path):
    return [p for p, line in children_of(host_of(gateway)).items() if str(path).encode() in line]


def test_a_session_has_a_process_of_its_own_until_it_ends(gateway, talk):
    before = set(running(gateway, BY_HAND))
    sessions = [talk("/hand").initialize() for _ in range(3)]
    assert len(set(running(gateway, BY_HAND)) - before) == 3
    response, body = talk("/hand").post(message(1, "initialize", protocolVersion="2025-11-25"))
    assert response.status == 503
    assert b"has 3 sessions already" in body
    for session in sessions:
        assert session.delete() == 200
        response, _ = session.post(message(2, "tools/list"))
        assert response.status == 404
        session.session = ""
    wait_for("their processes have ended", lambda: set(running(gateway, BY_HAND)) <= before)


def test_what_a_transport_must_refuse_is_refused(talk):
    raw = talk("/hand")
    response, body = raw.post({"jsonrpc": "2.0"})
    assert (response.status, b"-32600" in body) == (400, True)
    response, body = raw.post(message(1, "tools/list"))
    assert (response.status, b"Mcp-Session-Id" in body) == (400, True)
    response, _ = raw.post(message(1, "tools/list"), origin="https://elsewhere.example")
    assert response.status == 403
    response, _ = raw.post(message(1, "tools/list"), accept="text/plain")
    assert response.status == 406
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    modern = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call"}
    response, body = raw.post(message(1, "tools/list", _meta=meta), **modern)
    assert (response.status, b"-32020" in body) == (400, True)
    raw.connection.request("GET", "/hand", headers={"mcp-protocol-version": "2026-07-28"})
    response = raw.connection.getresponse()
    assert (response.status, response.headers["allow"]) == (405, "POST")
    response.read()


def test_clients_without_sessions_share_a_process_under_ids_of_their_own(gateway, talk):
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    modern = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "echo"}
    before = set(running(gateway, BY_HAND))
    for id in (7, "seven"):
        body = message(id, "tools/call", name="echo", arguments={"id": id}, _meta=meta)
        response, answer = talk("/hand").post(body, **modern)
        assert response.status == 200
        assert json.loads(answer)["id"] == id
        assert json.loads(json.loads(answer)["result"]["content"][0]["text"]) == {"id": id}
    assert len(set(running(gateway, BY_HAND)) - before) == 1


def test_a_server_that_is_killed_is_answered_for_and_started_again(gateway, talk):
    session = talk("/hand").initialize()
    error = session.call(2, "kill")["error"]
    assert error["code"] == 50301
    assert error["data"]["plugbay"]["exit"] == 137

    def works():
        return "result" in session.call(3, "echo")

    wait_for("the session goes on", works)
    metrics = gateway.facts["metrics"].rpartition(":")

    def counted():
        connection = HTTPConnection(metrics[0], int(metrics[2]), timeout=100)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return 'plugbay_mcp_server_starts_total{restart="true",server="hand"} 1' in text

    wait_for("the restart is counted", counted)


def test_the_breaker_of_a_server_that_crashes_too_often(gateway, talk):
    session = talk("/frail").initialize()
    session.call(2, "exit", code=9)
    wait_for("it is there again", lambda: "result" in session.call(3, "echo"))

    def rests():
        # Again if the rest was over before this was asked.
        session.call(4, "exit", code=9)
        response, body = talk("/frail").post(
            message(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        )
        assert response.status == 200
        return "rests" in json.loads(body).get("error", {}).get("message", "")

    wait_for("it rests", rests)
    wait_for("one on trial", lambda: "result" in session.call(5, "echo"))


def test_a_member_that_is_down_is_said_to_be(gateway, talk):
    session = talk("/union").initialize()

    def tools(id):
        _, body = session.post(message(id, "tools/list"))
        result = json.loads(body.rpartition(b"data: ")[2] or body)["result"]
        names = {tool["name"].partition("__")[0] for tool in result["tools"]}
        missing = {one["server"] for one in result.get("_meta", {}).get("plugbay/unavailable", ())}
        return names, missing

    wait_for("all are there", lambda: tools(2) == ({"full", "frail", "far"}, set()))
    assert session.call(3, "frail__kill")["error"]["code"] == 50301

    def is_told():
        # Again if it was there again before this was asked.
        return tools(4) == ({"full", "far"}, {"frail"}) or not session.call(3, "frail__kill")

    wait_for("it is told", is_told)
    assert "result" in session.call(5, "far__test_simple_text")
    wait_for("it is there again", lambda: tools(6)[1] == set())
    assert "result" in session.call(7, "frail__echo")


def test_nothing_is_left_when_the_host_is_killed_and_clients_begin_anew(gateway, talk):
    session = talk("/hand").initialize()
    before = host_of(gateway)
    servers = set(children_of(before))
    assert servers
    os.kill(before, signal.SIGKILL)
    wait_for("another host", lambda: host_of(gateway) not in (None, before))
    wait_for("its servers are gone", lambda: not any(Path(f"/proc/{p}").exists() for p in servers))

    def forgotten():
        response, _ = session.post(message(2, "tools/list"))
        return response.status == 404

    session.connection.close()
    wait_for("the session is forgotten", forgotten)
    session.session = ""
    assert "result" in talk("/hand").initialize().call(2, "echo")


MARK = '''
from plugbay.sdk import McpFilter, Plugin


class Main(Plugin[None], McpFilter):
    """Writes what it hears of servers, and says who asks."""

    def on_exit(self, session, code):
        """Write it."""
        self.host.log.warning("%s has ended with %d", session.server, code)

    def on_tool_result(self, message):
        """Say it."""
        content = [{"type": "text", "text": message.session.identity}]
        return message.replace(result={**message.result, "content": content})
'''
WHO = '''
from plugbay.sdk import Plugin, RequestFilter


class Main(Plugin[None], RequestFilter):
    """Knows its clients by a key."""

    def on_request(self, request):
        """Say who it is."""
        request.state["identity"] = request.headers.get("x-key", "nobody")
'''


def test_plugins_know_who_asks_and_hear_of_a_server_s_end(gateway, talk, tmp_path):
    made = [
        write_plugin(tmp_path / "a", "who", "1.0.0", WHO, 'provides = ["request-filter"]\n'),
        write_plugin(tmp_path / "b", "mark", "1.0.0", MARK, 'provides = ["mcp-filter"]\n'),
    ]
    plugins = [enable(gateway, project) for project in made]
    try:
        session = talk("/hand").initialize()
        body = message(2, "tools/call", name="echo", arguments={})
        _, answer = session.post(body, x_key="ann")
        assert json.loads(answer)["result"]["content"][0]["text"] == "ann"
        session.call(3, "exit", code=5)
        wait_for("it was heard", lambda: "hand has ended with 5" in gateway.log.read_text())
    finally:
        for plugin in plugins:
            disable(gateway, plugin)


def test_pins_of_a_route_are_approved_by_the_admin_api(gateway, talk):
    plugin = enable(gateway, PLUGINS / "pins", config={"trust_first": False})

    def operate(verb, name, content=None):
        reply = gateway.client.call(verb, f"/plugins/pins/operations/{name}", content).json
        assert not reply["failed"], reply
        return next(iter(reply["workers"].values()))

    def listed(id):
        _, body = session.post(message(id, "tools/list"))
        return [tool["name"] for tool in json.loads(body)["result"]["tools"]]

    try:
        session = talk("/hand").initialize()
        assert listed(2) == []
        assert {row["state"] for row in operate("GET", "list")["pins"]} == {"new"}
        operate("POST", "approve", {"server": "hand", "tool": "echo"})
        assert listed(3) == ["echo"]
        assert "result" in session.call(4, "echo")
        operate("POST", "reset", {"server": "hand"})
    finally:
        disable(gateway, plugin)


def test_telemetry_is_taken_by_a_gateway(gateway, talk):
    plugin = enable(gateway, PLUGINS / "telemetry", config={"endpoint": "http://127.0.0.1:1/"})
    try:
        session = talk("/hand").initialize()
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        answer = session.post(
            message(2, "tools/call", name="meta", arguments={}, _meta={"traceparent": parent})
        )
        assert answer[0].status == 200
    finally:
        disable(gateway, plugin)
