"""MCP servers that the gateway runs itself, and several as one, with the official SDK's client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from bench._gateway import Gateway, wait_for

from mcp import Client

pytestmark = [
    pytest.mark.live,
    # A gateway and the SDK's imports come on top of the first test.
    pytest.mark.timeout(240),
    # The SDK's own, when a stream is closed while it reads.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FIXTURE = Path(__file__).with_name("mcp_fixture.py")
BY_HAND = Path(__file__).parents[1] / "unit" / "mcp" / "server.py"


def text_of(result):
    return result.content[0].text


def server(name, path, *arguments, **settings):
    args = json.dumps([str(path), *arguments])
    more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    return f'[[mcp.servers]]\nname = "{name}"\ncommand = "{sys.executable}"\nargs = {args}\n{more}'


def route(name):
    return f'[[routes]]\nname = "{name}"\npath = "/{name}"\nmcp = "{name}"\n'


@pytest.fixture(scope="module")
def remote():
    """The fixture over HTTP, as a member of a federation."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(FIXTURE), str(port)])

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for("the MCP server listens", answers)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


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
        async with Client(f"{url}/union", mode="legacy") as client:
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
