"""MCP servers behind a whole gateway and behind the wrapper, with the official SDK's client."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from bench._mcp_ways import call
from bench.mcp import McpUpstream, projects
from tests.live._mcp import FIXTURE, MARKS, PLUGINS, disable, enable, fixture_over_http, text_of

from mcp import Client, StdioServerParameters, stdio_client

pytestmark = MARKS
STAMP = '''
from plugbay.sdk import McpFilter, Plugin


class Main(Plugin[None], McpFilter):
    """Says in every result which version it is."""

    async def on_tool_result(self, message):
        """Say it."""
        content = [{"type": "text", "text": "VERSION"}]
        return message.replace(result={**message.result, "content": content})
'''


@pytest.fixture(scope="module")
def server():
    """The fixture server on a free port."""
    with fixture_over_http() as address:
        yield address


@pytest.fixture(scope="module")
def echo():
    """A server that answers with what it was sent."""
    upstream = McpUpstream("_mcp_server.py")
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def gateway(server, echo):
    """A gateway whose route /mcp leads to the fixture, and /echo to the other."""
    settings = (
        f'[[upstreams]]\nname = "fixture"\n[[upstreams.targets]]\naddress = "{server}"\n'
        '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "fixture"\n'
        '[[routes]]\nname = "echo"\npath = "/echo"\nmcp = "sample"\n'
    )
    with Gateway(settings=settings, upstream=echo) as gateway:
        yield gateway


@pytest.fixture
def url(gateway):
    return f"http://{gateway.address}/mcp"


def stamp(folder, version):
    source = STAMP.replace("VERSION", version)
    return write_plugin(folder / version, "stamp", version, source, 'provides = ["mcp-filter"]\n')


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_of_both_eras_through_the_gateway(url, mode):
    async def main():
        async with Client(url, mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"test_simple_text", "test_sampling"} <= tools
            said = await client.call_tool("test_simple_text", {})
            assert text_of(said) == "This is a simple text response for testing."
            assert (await client.read_resource("test://static-text")).contents

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_of_both_eras_through_the_wrapper(mode, tmp_path):
    arguments = ["-m", "plugbay", "monitor", "-p", "console-logger", "--log-file"]
    arguments += [str(tmp_path / "log"), "--", sys.executable, str(FIXTURE), "stdio"]
    server = StdioServerParameters(command=sys.executable, args=arguments)

    async def main():
        async with Client(stdio_client(server), mode=mode) as client:
            said = await client.call_tool("test_simple_text", {})
            assert text_of(said) == "This is a simple text response for testing."

    asyncio.run(main())
    line, log = "--> request tools/call test_simple_text", tmp_path / "log"
    wait_for("the line", lambda: log.exists() and line in log.read_text())


def test_a_plugin_is_swapped_in_the_middle_of_a_session(gateway, url, tmp_path):
    versions = set()

    async def main():
        async with Client(url, mode="legacy") as client:
            for number in range(4):
                project = stamp(tmp_path, f"1.0.{number}")
                calls = [client.call_tool("test_tool_with_logging", {}) for _ in range(8)]
                swap = asyncio.to_thread(enable, gateway, project)
                *answers, _ = await asyncio.gather(*calls, swap)
                versions.update(text_of(answer) for answer in answers)
                after = await client.call_tool("test_simple_text", {})
                assert text_of(after) == f"1.0.{number}"

    try:
        asyncio.run(main())
    finally:
        disable(gateway, "stamp")
    assert len(versions) >= 2


def test_policy_is_enforced_on_lists_and_on_calls(gateway, url):
    rules = [{"identity": "*", "tools": ["test_simple_*"]}]
    enable(gateway, PLUGINS / "tool-policy", config={"rules": rules})

    async def main():
        async with Client(url, mode="legacy") as client:
            assert [t.name for t in (await client.list_tools()).tools] == ["test_simple_text"]
            await client.call_tool("test_simple_text", {})
            with pytest.raises(Exception, match="Unknown tool: test_image_content"):
                await client.call_tool("test_image_content", {})

    try:
        asyncio.run(main())
    finally:
        disable(gateway, "tool-policy")


def test_questions_of_the_server_pass_the_gateway(gateway, url, tmp_path):
    enable(gateway, stamp(tmp_path, "2.0.0"))

    async def respond(context, params):
        from mcp.types import ElicitResult

        return ElicitResult(action="accept", content={"response": "yes"})

    async def main():
        async with Client(url, mode="legacy", elicitation_callback=respond) as client:
            said = await client.call_tool("test_elicitation", {"message": "well?"})
            assert text_of(said) == "2.0.0"
            assert 'content={"response":"yes"}' in str(said.structured_content)

    try:
        asyncio.run(main())
    finally:
        disable(gateway, "stamp")


def test_what_is_no_message_is_refused_before_the_server(gateway, tmp_path):
    enable(gateway, stamp(tmp_path, "3.0.0"))
    host, _, port = gateway.address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=100)

    def post(body, **fields):
        headers = {"content-type": "application/json", **fields}
        connection.request("POST", "/mcp", body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    try:
        status, body = post(b"{oops")
        assert (status, b"-32700" in body) == (400, True)
        status, body = post(b'{"jsonrpc":"2.0"}')
        assert (status, b"-32600" in body) == (400, True)
        status, _ = post(b"{}", **{"content-encoding": "gzip"})
        assert status == 415
    finally:
        connection.close()
        disable(gateway, "stamp")


def test_a_client_that_leaves_holds_no_generation(gateway, url, tmp_path):
    enable(gateway, stamp(tmp_path, "4.0.0"))
    host, _, port = gateway.address.rpartition(":")
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{}}}'
    with socket.create_connection((host, int(port))) as client:
        head = f"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
    artifact = gateway.push(stamp(tmp_path, "4.0.1"))
    swap = gateway.put("stamp", digest=artifact["digest"], drain=100.0)
    # It ends before the drain's deadline, at which it would be cancelled.
    ended = gateway.operation(swap["id"])
    assert ended["state"] == "succeeded", ended
    assert ended["receipt"]["totals"]["cancelled"] == 0
    disable(gateway, "stamp")


def test_large_messages_at_once_are_in_memory_one_after_the_other(gateway, tmp_path):
    (project,) = projects(tmp_path, 1)
    plugin = enable(gateway, project)
    (pid,) = gateway.worker_pids()
    host, _, port = gateway.address.rpartition(":")
    size, fields = 5_000_000, {"content-type": "application/json", "accept": "text/event-stream"}

    def ask(id):
        connection = HTTPConnection(host, int(port), timeout=100)
        connection.request("POST", "/echo", call(id, message="x" * size), fields)
        said = json.loads(connection.getresponse().read().partition(b"data: ")[2])
        connection.close()
        assert said["id"] == id
        assert len(said["result"]["content"][0]["text"]) > size

    def peak():
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    try:
        ask(0)
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        before = peak()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, range(1, 5)))
        assert peak() - before < 2.5 * size
    finally:
        disable(gateway, plugin)
