"""MCP plugins in processes of their own, behind a whole gateway: of ContextForge, and of km."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socketserver
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._contextforge import PROJECT, wheels
from bench._gateway import Gateway, wait_for
from bench._go import ROOT, build_go

from plugbay.artifacts import build_wheel
from plugbay.cli._client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
SSN, KEY = "123-45-6789", "AKIAIOSFODNN7EXAMPLE"
API_KEY = "test-api-key-1234567890"
PLUGIN = "cpex_{0}.{0}.{1}"
FORGE = {
    "plugins": [
        {
            "name": "PII",
            "kind": PLUGIN.format("pii_filter", "PIIFilterPlugin"),
            "hooks": ["tool_pre_invoke", "tool_post_invoke"],
            "mode": "enforce",
        },
        {
            "name": "Secrets",
            "kind": PLUGIN.format("secrets_detection", "SecretsDetectionPlugin"),
            "hooks": ["tool_pre_invoke"],
            "mode": "enforce",
            "conditions": [{"server_ids": ["mcp"]}],
            "config": {"block_on_detection": True},
        },
    ]
}
KM = (
    'id = "console-logger"\nversion = "1.0.0"\napi = 1\nruntime = "process"\nentry = "km"\n'
    'provides = ["mcp-filter"]\n[mcp]\nmode = "observe"\n'
)


class Echo(http.server.BaseHTTPRequestHandler):
    """An MCP server over HTTP that says what it is told."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self._body())
        text = json.dumps(asked["params"].get("arguments"))
        result = {"content": [{"type": "text", "text": text}]}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        """Read a body of known length, or in chunks, as one comes that plugins have changed."""
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Be silent."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = (
            f'[environments]\noffline = true\nfind_links = ["{wheels()}"]\n'
            "[policy]\nhealth_interval = 0.5\n"
            f'[[upstreams]]\nname = "echo"\n[[upstreams.targets]]\n'
            f'address = "127.0.0.1:{server.server_address[1]}"\n'
            '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "echo"\n'
        )
        try:
            with Gateway(settings=settings) as gateway:
                secrets = gateway.data / "secrets"
                secrets.mkdir(mode=0o700, exist_ok=True)
                (secrets / "km-key").write_text(API_KEY)
                (secrets / "km-key").chmod(0o600)
                yield gateway
        finally:
            server.shutdown()


def call(gateway: Gateway, id: int, **arguments: object) -> Mapping[str, Any]:
    """Call the tool and return the JSON-RPC response."""
    params = {"name": "echo", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    host, _, port = gateway.address.partition(":")
    connection = HTTPConnection(host, int(port), timeout=100)
    try:
        fields = {"content-type": "application/json", "accept": "application/json"}
        connection.request("POST", "/mcp", json.dumps(body), fields)
        found: Mapping[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def judged(gateway: Gateway, artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    def settled() -> Any:
        found = gateway.client.call("GET", f"/artifacts/{artifact['digest']}").json
        return found if found["state"] in ("validated", "rejected") else None

    found: Mapping[str, Any] = wait_for("the artifact is judged", settled, seconds=180)
    assert found["state"] == "validated", found
    return found


def enable(gateway: Gateway, artifact: Mapping[str, Any], **content: object) -> Mapping[str, Any]:
    return gateway.put(str(artifact["plugin"]), digest=artifact["digest"], **content)


def processes(gateway: Gateway) -> list[int]:
    """Return the processes of km plugins whose parents are this gateway's workers."""
    workers, found = set(gateway.worker_pids()), list[int]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent in workers and b"KILOMETERS" in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def test_contextforge_plugins_on_a_route_of_the_gateway(gateway: Gateway, tmp_path: Path) -> None:
    lacking = {**FORGE["plugins"][0], "name": "Old", "kind": "mcpgateway.plugins.Old"}
    wheel = build_wheel(PROJECT, tmp_path)
    with pytest.raises(ApiError) as early:  # what it lacks is known when it is uploaded
        gateway.client.upload(wheel, config={"plugins": [lacking]})
    assert "Old: it needs mcpgateway" in str(early.value.problem)
    artifact = judged(gateway, gateway.push(PROJECT))
    refused = enable(gateway, artifact, config={"plugins": [lacking]})
    assert refused["state"] == "failed"
    assert "Old: it needs mcpgateway" in json.dumps(refused["error"])
    assert call(gateway, 1, text=SSN)["result"]["content"][0]["text"] == json.dumps({"text": SSN})

    enabled = enable(gateway, artifact, config=FORGE)
    assert enabled["state"] in ("succeeded", "draining"), enabled
    changed = call(gateway, 2, text=f"it is {SSN}")
    assert json.loads(changed["result"]["content"][0]["text"]) == {"text": "it is [REDACTED]"}
    blocked = call(gateway, 3, text=KEY)["result"]
    assert blocked["isError"] is True
    facts = blocked["_meta"]["plugbay/block"]
    assert (facts["plugin"], facts["violation"]) == ("contextforge", "SECRETS_DETECTED")
    gateway.change("POST", "/plugins/contextforge/disable")
    assert SSN in call(gateway, 4, text=SSN)["result"]["content"][0]["text"]


def test_a_km_plugin_looks_on_at_a_route_of_the_gateway(gateway: Gateway) -> None:
    program = build_go(ROOT / "go/examples/km")
    artifact = judged(gateway, gateway.client.upload(program, manifest=KM.encode()).json)
    refused = enable(gateway, artifact, config={"api_key": "short"})
    assert refused["state"] == "failed"
    assert "unauthorized" in json.dumps(refused["error"])

    enabled = enable(gateway, artifact, config={"api_key": "${secret:km-key}"})
    assert enabled["state"] in ("succeeded", "draining"), enabled

    def lines(word: str) -> int:
        found = gateway.log.read_text()
        assert API_KEY not in found
        return sum(word in line for line in found.splitlines() if "console-logger" in line)

    before = lines("request ")
    assert "hello" in call(gateway, 5, text="hello")["result"]["content"][0]["text"]
    wait_for("it has seen both", lambda: lines("request ") > before and lines("response "))

    wait_for("the one that was refused has ended", lambda: len(processes(gateway)) == 1)
    (pid,) = processes(gateway)
    os.kill(pid, signal.SIGKILL)
    wait_for("it runs again", lambda: processes(gateway) not in ([], [pid]))
    before = lines("request ")

    def told_again() -> bool:
        call(gateway, 6, text="again")
        return lines("request ") > before

    wait_for("it is told again", told_again, every=0.2)
    gateway.change("POST", "/plugins/console-logger/disable")
    wait_for("its process has ended", lambda: not processes(gateway))
