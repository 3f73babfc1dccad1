"""A tiny admin API over real HTTP, and the command line in this process."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer

from plugbay.cli._client import API
from plugbay.cli._root import _run, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Api:
    """Answers by method and path; what is not there is 404. The last of several answers stays."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, object, dict[str, str]]]] = field(
        default_factory=dict
    )

    def on(
        self, method: str, path: str, content: object = None, status: int = 200, **headers: str
    ) -> None:
        key = (method, path)
        self.answers.setdefault(key, []).append((status, content, headers))

    def answer(self, seen: Seen) -> tuple[int, object, dict[str, str]]:
        self.seen.append(seen)
        found = self.answers.get((seen.method, seen.path))
        if not found:
            return 404, {"title": "Not found", "detail": f"no {seen.path}", "status": 404}, {}
        return found.pop(0) if len(found) > 1 else found[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = parts.path.removeprefix(API)
        status, content, more = self.api.answer(Seen(self.command, path, query, headers, body))
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api(tmp_path, monkeypatch) -> Iterator[Api]:
    """A server on a free port; the commands know where it is."""
    known = Api()
    handler = type("Bound", (Handler,), {"api": known})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("PLUGBAY_ADMIN_URL", known.url)
    monkeypatch.setenv("PLUGBAY_TOKEN", "pb_test")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def command_line() -> Any:
    """All commands, once: to read their signatures takes longer than to run most of them."""
    return typer.main.get_command(build())


@pytest.fixture
def cli(monkeypatch, capsys, command_line) -> Callable[..., Outcome]:
    """Run `plugbay` with these arguments in this process."""

    def call(*args: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["plugbay", *map(str, args)])
        capsys.readouterr()
        code = 0
        try:
            _run(command_line, "plugbay")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return call


def operation(state: str = "succeeded", **more: Any) -> dict[str, Any]:
    """An operation as the API shows it."""
    totals = {"in_flight": 16, "drained_ms": 3.14, "cancelled": 0, "dropped": 0}
    change = {
        "plugin": "hello",
        "old_version": "1.0.0",
        "new_version": "1.1.0",
        "old_config_version": 1,
        "new_config_version": 2,
    }
    receipt = {"changes": [change], "totals": totals, "workers": [], "why": ""}
    done = state in ("succeeded", "failed", "rolled_back")
    found = {"id": "op-7", "kind": "enable", "state": state, "receipt": receipt if done else None}
    return found | more


@pytest.fixture
def an_operation() -> Callable[..., dict[str, Any]]:
    return operation
