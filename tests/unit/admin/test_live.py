"""What only a real server in a process of its own can show."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..artifacts.wheels import wheel_bytes
from .conftest import V1

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CONFIGURED = json.dumps({"version": "1.0.0", "config": {"greeting": "hi"}})
MEGABYTE = 1024 * 1024

pytestmark = pytest.mark.live


@dataclass
class Live:
    process: subprocess.Popen[str]
    port: int
    headers: dict[str, str]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = self.connect()
        connection.request(method, V1 + path, body, {**self.headers, **headers})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def peak(self) -> int:
        """The most memory that the server has ever had resident, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    command = [sys.executable, "-m", "tests.unit.admin.live_server", str(tmp_path)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    server = Live(process, said["port"], {})
    wish = json.dumps({"username": "admin", "password": said["password"]})
    connection = server.connect()
    connection.request("POST", f"{V1}/sessions", wish)
    answer = connection.getresponse()
    session = json.load(answer)
    cookie = (answer.getheader("set-cookie") or "").split(";")[0]
    connection.close()
    server.headers = {"cookie": cookie, "x-csrf-token": session["csrf"]}
    yield server
    process.terminate()
    assert process.wait(timeout=100) in (0, -15)
    process.stdout.close()


def blocks(count: int) -> Iterator[bytes]:
    block = os.urandom(MEGABYTE)
    for _ in range(count):
        yield block


def form(count: int) -> Iterator[bytes]:
    yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="big.whl"\r\n\r\n'
    yield from blocks(count)
    yield b"\r\n--b--\r\n"


def test_a_big_upload_is_streamed_and_not_held_in_memory(live: Live) -> None:
    path = "/artifacts?filename=big.whl"
    small = live.ask("POST", path, blocks(1))
    assert small[0] == 422, small[1]
    before = live.peak()
    status, body = live.ask("POST", path, blocks(50))
    assert (status, json.loads(body)["type"]) == (422, "/problems/artifact-rejected")
    kind = "multipart/form-data; boundary=b"
    status, body = live.ask("POST", "/artifacts", form(50), **{"content-type": kind})
    assert (status, json.loads(body)["type"]) == (422, "/problems/artifact-rejected")
    assert live.peak() - before < 20 * MEGABYTE
    status, body = live.ask("POST", path, blocks(51))
    assert (status, json.loads(body)["type"]) == (413, "/problems/too-large")


def test_a_wheel_goes_through_the_real_trial(live: Live) -> None:
    path = "/artifacts?filename=plugbay_hello-1.0.0-py3-none-any.whl"
    status, body = live.ask("POST", path, wheel_bytes())
    assert status == 201, body
    assert json.loads(body)["hooks"] == ["on_request"]
    status, body = live.ask("PUT", "/plugins/hello?wait=converged", CONFIGURED)
    assert status == 200, body
    wrong = live.ask("POST", "/plugins/hello/config/validate", b'{"config": {"greeting": 1}}')
    assert (wrong[0], json.loads(wrong[1])["errors"][0]["pointer"]) == (422, "/greeting")


def test_events_are_followed_and_replayed_over_a_real_connection(live: Live) -> None:
    follower = live.connect()
    follower.request("GET", f"{V1}/events?topics=operation", headers=live.headers)
    stream = follower.getresponse()
    assert stream.getheader("content-type", "").startswith("text/event-stream")
    assert stream.readline() == b": heartbeat\n"
    upstream = json.dumps({"name": "api", "targets": [{"address": "127.0.0.1:9"}]})
    status, _ = live.ask("PUT", "/upstreams/api?wait=converged", upstream)
    assert status == 200
    first = _next_event(stream)
    assert first["event"] == "operation.changed"
    follower.close()
    again = live.connect()
    before = {"last-event-id": str(int(first["id"]) - 1)}
    again.request("GET", f"{V1}/events?topics=operation", headers={**live.headers, **before})
    assert _next_event(again.getresponse()) == first
    again.close()


def _next_event(stream: http.client.HTTPResponse) -> dict[str, str]:
    """The next event, without the heartbeats before it."""
    event: dict[str, str] = {}
    while line := stream.readline().decode().rstrip("\n"):
        if not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
    return event or _next_event(stream)
