"""What Plugbay adds to MCP traffic, beside others that stand between: `python -m bench.mcp`.

Over stdio a client speaks to a server directly, through the wrapper without plugins, and with ten
hooks; over HTTP directly and through a gateway's route, likewise. Serial calls give the latency,
64 (HTTP: 16) in flight the rate. Rounds alternate between the ways, so that a noisy machine is
noisy for all; what is printed is each way's best round. Servers: one that does nothing, so that
all that is seen is the way, and real ones on the official SDKs. Before each of them also stands
what does the least that a third process can do: over stdio a relay of bytes, over HTTP nginx. "of
relay" is the share of its rate.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench._gateway import Gateway, Upstream, write_plugin
from bench._mcp_floor import NGINX, RELAY, passed, relayed
from bench._mcp_measure import measure, show
from bench._mcp_peers import context_forge, fastmcp, free_port, mcp_proxy, node, serving
from bench._mcp_ways import Http, Stdio

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

HOOKS = 10
PATIENCE = 25.0
"""Seconds that a table may take, but for two rounds: all five are there within four minutes."""
HERE = Path(__file__).parent
SERVER = (sys.executable, "-S", str(HERE / "_mcp_server.py"))
SDK_SERVER = (sys.executable, "-P", str(HERE / "_mcp_sdk_server.py"))
MONITOR = (sys.executable, "-m", "plugbay", "monitor")
SOURCE = '''
from plugbay.sdk import McpFilter, Plugin


class Main(Plugin[None], McpFilter):
    """Looks at every message."""

    def on_message(self, message):
        """Look."""
        message.method
'''


def projects(folder: Path, count: int = HOOKS) -> list[Path]:
    """Write plugins with one hook each."""
    return [
        write_plugin(
            folder / f"look{n}", f"look{n}", "1.0.0", SOURCE, 'provides = ["mcp-filter"]\n'
        )
        for n in range(count)
    ]


def wrapped(server: Sequence[str], plugins: Sequence[Path]) -> dict[str, Stdio]:
    """Return a server directly, through a relay and the wrapper, and with plugins in it."""
    options = [word for project in plugins for word in ("-p", str(project))]
    return {
        "direct": Stdio(server),
        **relayed(server),
        "plugbay monitor": Stdio((*MONITOR, "--", *server)),
        f"plugbay monitor, {len(plugins)} plugins": Stdio((*MONITOR, *options, "--", *server)),
    }


def stdio(rounds: int) -> None:
    """Measure the wrapper."""
    everything = node("server-everything", "stdio")
    with tempfile.TemporaryDirectory() as folder:
        plugins = projects(Path(folder))
        ways = wrapped(SERVER, plugins)
        uvloop.run(measure(ways, rounds, 1000, 10_000, large=True, seconds=PATIENCE))
        show("stdio, a server that does nothing", ways, RELAY)
        ways = wrapped(SDK_SERVER, plugins)
        uvloop.run(measure(ways, max(2, rounds // 2), 400, 1_500, seconds=PATIENCE))
        show("stdio, official Python SDK", ways, RELAY)
        peer = "fastmcp proxy"
        ways = {**wrapped(everything, plugins), peer: Stdio(fastmcp(everything))}
        turns = max(2, rounds // 2)
        uvloop.run(measure(ways, turns, 1000, 5_000, slow=[peer], seconds=PATIENCE))
        show("stdio, server-everything (Node)", ways, RELAY)


class McpUpstream(Upstream):
    """A server over HTTP; it takes the sample upstream's place."""

    def __init__(self, program: str) -> None:
        command = [sys.executable, "-P", str(HERE / program), "http"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = f"127.0.0.1:{self.process.stdout.readline().strip()}"


@contextlib.contextmanager
def gateways(upstream: Upstream) -> Generator[dict[str, Http]]:
    """Start gateways before a server: without plugins, with five, with ten."""
    settings = '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "sample"\n'
    ways: dict[str, Http] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for count in (0, HOOKS // 2, HOOKS):
            gateway = stack.enter_context(Gateway(settings=settings, upstream=upstream))
            for project in projects(folder / str(count), count):
                artifact = gateway.push(project)
                gateway.put(str(artifact["plugin"]), digest=artifact["digest"])
            name = f"plugbay route, {count} plugins"
            ways[name] = Http(gateway.address, gateway.worker_pids())
        yield ways


@contextlib.contextmanager
def peers(address: str) -> Generator[dict[str, Http]]:
    """Start the peers that run, before a server; say which do not."""
    ways: dict[str, Http] = {}
    url = f"http://{address}/mcp"
    with contextlib.ExitStack() as stack:
        port = free_port()
        try:
            process = stack.enter_context(serving(mcp_proxy(SDK_SERVER, port), port))
            ways["mcp-proxy (to the server over stdio)"] = Http(f"127.0.0.1:{port}", [process.pid])
        except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            print(f"mcp-proxy does not run here: {error}")
        port = free_port()
        try:
            process = stack.enter_context(serving(fastmcp(url, port), port))
            ways["fastmcp proxy"] = Http(f"127.0.0.1:{port}", [process.pid])
        except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            print(f"fastmcp does not run here: {error}")
        port = free_port()
        try:
            forge = stack.enter_context(context_forge(url, port))
            way = Http(f"127.0.0.1:{port}", [forge.pid], path="/mcp/", headers=forge.headers)
            way.tool = forge.tool
            ways["ContextForge"] = way
        except (RuntimeError, TimeoutError, ValueError, subprocess.SubprocessError) as error:
            print(f"ContextForge does not run here: {error}")
        yield ways


def http(rounds: int) -> None:
    """Measure a gateway's routes."""
    for program, title, others in (
        ("_mcp_server.py", "Streamable HTTP, a server that does nothing", False),
        ("_mcp_sdk_server.py", "Streamable HTTP, official Python SDK", True),
    ):
        upstream = McpUpstream(program)
        try:
            with contextlib.ExitStack() as stack:
                own = stack.enter_context(gateways(upstream))
                floor = stack.enter_context(passed(upstream.address))
                ways = {"direct": Http(upstream.address), **floor, **own}
                theirs = stack.enter_context(peers(upstream.address)) if others else {}
                ways |= theirs
                serial, many = (100, 400) if others else (400, 3_000)
                turns = max(2, rounds // 2) if others else rounds
                work = measure(
                    ways, turns, serial, many, slow=[*theirs], large=not others, seconds=PATIENCE
                )
                uvloop.run(work)
            show(title, ways, NGINX)
        finally:
            upstream.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", choices=("stdio", "http"))
    options = parser.parse_args()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"load average {load}, {os.cpu_count()} cores; share: of direct calls in a second")
    if options.only != "http":
        stdio(options.rounds)
    if options.only != "stdio":
        http(options.rounds)


if __name__ == "__main__":
    main()
