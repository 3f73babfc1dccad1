"""A wrapper in a process of its own, and a client that speaks to it line by line."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("server.py")
PATIENCE = 60.0


class Client:
    """Writes and reads raw lines; every wait has a deadline."""

    def __init__(self, process):
        self.process = process
        self._buffer = b""

    def send(self, *messages):
        data = b"".join(
            (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n"
            for one in messages
        )
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def call(self, id, tool="echo", **arguments):
        self.send(request(id, "tools/call", name=tool, arguments=arguments))

    def line(self, patience=PATIENCE):
        """The next line, parsed; None at the end."""
        until = time.monotonic() + patience
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            assert ready, f"nothing came; so far {self._buffer[:200]!r}"
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                assert not self._buffer, f"half a line at the end: {self._buffer[:200]!r}"
                return None
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(raw)

    def rest(self):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def end(self, patience=PATIENCE):
        """Close the input and return the exit code."""
        self.process.stdin.close()
        return self.process.wait(patience)

    def errors(self):
        return self.process.stderr.read().decode()


def request(id, method, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


@pytest.fixture
def monitor(tmp_path):
    """Start `plugbay monitor` before a server."""
    clients = []

    def start(*options, server=(), **popen):
        command = [sys.executable, str(SERVER), *server]
        if server and server[0] == "--":
            command = list(server[1:])
        process = subprocess.Popen(
            [sys.executable, "-m", "plugbay", "monitor", *options, "--", *command],
            stdin=subprocess.PIPE,
            stdout=popen.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env={**os.environ, "PLUGBAY_STATE_DIR": str(tmp_path / "state")},
            **popen,
        )
        client = Client(process)
        clients.append(client)
        return client

    yield start
    for client in clients:
        process = client.process
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@pytest.fixture
def project(tmp_path):
    """Write a plugin project."""

    def write(name, body, *, mode="guard", on_error="default", extra="", version="1.0.0", base=""):
        package = name.replace("-", "_")
        folder = tmp_path / name
        source = folder / "src" / package
        source.mkdir(parents=True, exist_ok=True)
        indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
        (source / "__init__.py").write_text(
            "import asyncio, os, time\n"
            "from plugbay.sdk import Block, McpFilter, Message, Plugin, Stateful\n\n\n"
            f"class Filter(Plugin[None], McpFilter{base}):\n{indented}\n"
        )
        (source / "plugbay.toml").write_text(
            f'id = "{name}"\nversion = "{version}"\napi = 1\nruntime = "python"\n'
            f'entry = "{package}:Filter"\n'
            f'provides = ["mcp-filter"{", " + chr(34) + "stateful" + chr(34) if base else ""}]\n'
            f'on_error = "{on_error}"\n{extra}\n[mcp]\nmode = "{mode}"\n'
        )
        return folder

    return write
