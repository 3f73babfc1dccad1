"""MCP servers and clients for live tests: the fixture, sessions by hand, settings, plugins."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

MARKS = [
    pytest.mark.live,
    # A gateway and the SDK's imports come on top of the first test.
    pytest.mark.timeout(300),
    # The SDK's own, when a stream is closed while it reads.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FIXTURE = Path(__file__).with_name("mcp_fixture")
BY_HAND = Path(__file__).parents[1] / "unit" / "mcp" / "server.py"
PLUGINS = Path(__file__).parents[2] / "plugins" / "mcp"


def text_of(result):
    return result.content[0].text


@contextlib.contextmanager
def fixture_over_http():
    """The fixture on a free port; its address."""
    command = [sys.executable, str(FIXTURE), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def server(name, path, *arguments, **settings):
    args = json.dumps([str(path), *arguments])
    more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    return f'[[mcp.servers]]\nname = "{name}"\ncommand = "{sys.executable}"\nargs = {args}\n{more}'


def route(name):
    return f'[[routes]]\nname = "{name}"\npath = "/{name}"\nmcp = "{name}"\n'


class Raw:
    """A session spoken by hand."""

    def __init__(self, gateway, path):
        host, _, port = gateway.address.rpartition(":")
        self.connection = HTTPConnection(host, int(port), timeout=100)
        self.path, self.session = path, ""

    def post(self, body, **fields):
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **({"mcp-session-id": self.session} if self.session else {}),
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        self.connection.request("POST", self.path, json.dumps(body), headers)
        response = self.connection.getresponse()
        return response, response.read()

    def initialize(self):
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}}
        response, body = self.post(message(1, "initialize", **params))
        self.session = response.headers["mcp-session-id"]
        assert response.status == 200, body
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def call(self, id, tool, **arguments):
        response, body = self.post(message(id, "tools/call", name=tool, arguments=arguments))
        if response.headers["content-type"] == "text/event-stream":
            body = body.rpartition(b"data: ")[2]
        return json.loads(body)

    def delete(self):
        self.connection.request("DELETE", self.path, headers={"mcp-session-id": self.session})
        response = self.connection.getresponse()
        response.read()
        return response.status

    def close(self):
        self.connection.close()


def message(id, method, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def enable(gateway, project, **content):
    artifact = gateway.push(project)
    assert artifact["state"] == "validated", artifact
    plugin = str(artifact["plugin"])
    operation = gateway.put(plugin, digest=artifact["digest"], **content)
    assert operation["state"] in ("succeeded", "draining"), operation
    return plugin


def disable(gateway, plugin):
    gateway.change("POST", f"/plugins/{plugin}/disable")
