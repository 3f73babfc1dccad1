"""What Plugbay adds to MCP traffic: `python -m bench.mcp [--peers]`.

Over stdio a client speaks to a server directly, through the wrapper without plugins, and with ten
hooks; over HTTP directly and through a gateway's route, likewise. Serial calls give the latency,
64 in flight the rate. Rounds alternate between the ways, so that a noisy machine is noisy for all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench._gateway import Gateway, Upstream, write_plugin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOOKS = 10
SERVER = (sys.executable, "-S", str(Path(__file__).with_name("_mcp_server.py")))
MONITOR = (sys.executable, "-m", "plugbay", "monitor")
SOURCE = '''
from plugbay.sdk import McpFilter, Plugin


class Main(Plugin[None], McpFilter):
    """Looks at every message."""

    def on_message(self, message):
        """Look."""
        message.method
'''


@dataclass
class Figures:
    """What was measured on one way."""

    seconds: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    memory_kb: int = 0

    def p50(self) -> float:
        """Return the median latency in milliseconds."""
        return statistics.median(self.seconds) * 1000

    def p99(self) -> float:
        """Return the 99th percentile in milliseconds."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] * 1000

    def rate(self) -> float:
        """Return calls in a second: the best round, which noise has hit least."""
        return max(self.rates)


def call(id: int) -> bytes:
    """Return one `tools/call`."""
    params = {"name": "echo", "arguments": {"message": "hello"}}
    body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    return json.dumps(body, separators=(",", ":")).encode()


class Stdio:
    """A server, maybe wrapped, as a child of ours."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.figures = Figures()

    async def open(self) -> None:
        """Start it."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        await self.one(0)

    async def one(self, id: int) -> None:
        """Make one call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(call(id) + b"\n")
        line = await self.process.stdout.readline()
        assert json.loads(line)["id"] == id

    async def many(self, count: int) -> None:
        """Make calls, 64 in flight."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        stdin, stdout = self.process.stdin, self.process.stdout
        stdin.write(b"".join(call(id) + b"\n" for id in range(64)))
        asked, seen = 64, set[int]()
        while len(seen) < count:
            seen.add(json.loads(await stdout.readline())["id"])
            if asked < count:
                stdin.write(call(asked) + b"\n")
                asked += 1

    async def close(self) -> None:
        """End it."""
        self.figures.memory_kb = peak(self.process.pid)
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


class Http:
    """A server at an address, maybe behind a gateway."""

    def __init__(self, address: str, pids: Sequence[int] = ()) -> None:
        self.host, _, self.port = address.rpartition(":")
        self.pids = pids
        self.figures = Figures()

    async def open(self) -> None:
        """Connect."""
        self.spare = [await self._connect() for _ in range(16)]
        await self.one(0)

    async def one(self, id: int) -> None:
        """Make one call."""
        await self._ask(*self.spare[0], id)

    async def many(self, count: int) -> None:
        """Make calls, 16 in flight."""
        ids = iter(range(count))

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for id in ids:
                await self._ask(reader, writer, id)

        await asyncio.gather(*(client(*one) for one in self.spare))

    async def close(self) -> None:
        """Disconnect."""
        self.figures.memory_kb = max((peak(pid) for pid in self.pids), default=0)
        for _, writer in self.spare:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, int(self.port))

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, id: int
    ) -> None:
        body = call(id)
        writer.write(
            b"POST /mcp HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            b"accept: application/json, text/event-stream\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        found = b""
        while True:  # both the server and the gateway use chunked coding
            size = int((await reader.readline()).split(b";")[0], 16)
            found += (await reader.readexactly(size + 2))[:size]
            if not size:
                break
        assert json.loads(found.partition(b"data: ")[2])["id"] == id


def peak(pid: int) -> int:
    """Return a process's largest memory so far, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


async def measure(ways: Mapping[str, Stdio | Http], rounds: int, serial: int, many: int) -> None:
    """Measure every way in turn, `rounds` times."""
    for way in ways.values():
        await way.open()
    for _ in range(rounds):
        for way in ways.values():
            for id in range(1, serial + 1):
                began = time.perf_counter()
                await way.one(id)
                way.figures.seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            await way.many(many)
            way.figures.rates.append(many / (time.perf_counter() - began))
    for way in ways.values():
        await way.close()


def show(title: str, ways: Mapping[str, Stdio | Http]) -> None:
    """Print a table."""
    columns = f"{'p50 ms':>8} {'p99 ms':>8} {'+p50':>8} {'calls/s':>9} {'share':>6} {'MiB':>6}"
    print(f"\n{title:34} {columns}")
    direct = next(iter(ways.values())).figures
    for name, way in ways.items():
        one = way.figures
        added, share = one.p50() - direct.p50(), one.rate() / direct.rate()
        print(
            f"{name:34} {one.p50():8.3f} {one.p99():8.3f} {added:8.3f} {one.rate():9.0f}"
            f" {share:6.0%} {one.memory_kb / 1024:6.0f}"
        )


def projects(folder: Path) -> list[Path]:
    """Write ten plugins with one hook each."""
    return [
        write_plugin(
            folder / f"look{n}", f"look{n}", "1.0.0", SOURCE, 'provides = ["mcp-filter"]\n'
        )
        for n in range(HOOKS)
    ]


def stdio(rounds: int, serial: int, many: int) -> None:
    """Measure the wrapper."""
    with tempfile.TemporaryDirectory() as folder:
        plugins = [word for project in projects(Path(folder)) for word in ("-p", str(project))]
        ways = {
            "direct": Stdio(SERVER),
            "plugbay monitor": Stdio((*MONITOR, "--", *SERVER)),
            f"plugbay monitor, {HOOKS} plugins": Stdio((*MONITOR, *plugins, "--", *SERVER)),
        }
        uvloop.run(measure(ways, rounds, serial, many))
    show("stdio, 64 in flight", ways)


class McpUpstream(Upstream):
    """The server over HTTP; it takes the sample upstream's place."""

    def __init__(self) -> None:
        import subprocess

        command = [sys.executable, str(Path(__file__).with_name("_mcp_server.py")), "http"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = f"127.0.0.1:{self.process.stdout.readline().strip()}"


def http(rounds: int, serial: int, many: int) -> None:
    """Measure a gateway's routes: plain, MCP without plugins, MCP with ten."""
    upstream = McpUpstream()
    settings = '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "sample"\n'
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Gateway(settings=settings, upstream=upstream) as bare,
            Gateway(settings=settings, upstream=upstream) as full,
        ):
            for project in projects(Path(folder)):
                artifact = full.push(project)
                full.put(str(artifact["plugin"]), digest=artifact["digest"])
            ways = {
                "direct": Http(upstream.address),
                "gateway, mcp route": Http(bare.address, bare.worker_pids()),
                f"gateway, mcp route, {HOOKS} plugins": Http(full.address, full.worker_pids()),
            }
            uvloop.run(measure(ways, rounds, serial, many))
        show("Streamable HTTP, 16 in flight", ways)
    finally:
        upstream.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("stdio", "http"))
    options = parser.parse_args()
    if options.only != "http":
        stdio(options.rounds, 1000, 10_000)
    if options.only != "stdio":
        http(options.rounds, 400, 3_000)


if __name__ == "__main__":
    main()
