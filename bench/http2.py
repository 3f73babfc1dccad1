"""Clients that speak HTTP/2: Plugbay beside nginx + Lua and Envoy + Lua, the same three hooks.

    python -m bench.http2 [--rounds 5] [--json FILE]

h2load sends, without TLS, to one core each; the measure is the proxy's CPU time for each request.
Plugbay is measured over HTTP/1.1, too: what HTTP/2 costs is the difference.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench._rig import (
    HERE,
    LOAD_CORE,
    PROXY_CORE,
    Rig,
    Started,
    cpu_seconds,
    describe,
    free_port,
    need,
    resident_bytes,
    spread,
    table,
)
from bench.peers import HELLO, MEGABYTE, envoy_lua, start_upstream

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request; `streams` at once on each connection."""

    name: str
    path: str
    length: int
    requests: int
    streams: int
    upload: bool = False


CASES = (
    Case("GET 134 B", "/hello", HELLO, 8000, 16),
    Case("GET 1 MB", "/down", MEGABYTE, 200, 4),
    Case("POST 1 MB", "/up", 7, 200, 4, upload=True),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A proxy, and the protocol that it is spoken to."""

    name: str
    started: Started
    port: int
    http1: bool = False


def plugbay(rig: Rig, port: int, upstream: int) -> list[str | Path]:
    """The data plane of a worker, with three hooks in process."""
    return [sys.executable, "-m", "bench._plane", str(port), str(upstream), "3", "http2"]


def nginx(rig: Rig, port: int, upstream: int) -> list[str | Path]:
    """One nginx process, whose `listen` says that it speaks HTTP/2."""
    conf = rig.write("nginx_lua.conf", folder=rig.folder, port=f"{port} http2", upstream=upstream)
    return ["nginx", "-p", rig.folder, "-c", conf]


COMMANDS: dict[str, Callable[[Rig, int, int], list[str | Path]]] = {
    "plugbay": plugbay,
    "nginx-lua": nginx,
    "envoy-lua": envoy_lua,
}


def start_targets(rig: Rig, upstream: int) -> list[Target]:
    """Start the proxies on their core."""
    targets: list[Target] = []
    for name, command in COMMANDS.items():
        port = free_port()
        path = f"{HERE.parent}:{HERE.parent / 'src'}"
        started = rig.start(name, *command(rig, port, upstream), core=PROXY_CORE, PYTHONPATH=path)
        rig.until_listening(started, port)
        targets.append(Target(name, started, port))
        if name == "plugbay":
            targets.append(Target("plugbay, HTTP/1.1", started, port, http1=True))
    return targets


def measure(target: Target, case: Case, folder: Path) -> float:
    """Make one run and return the CPU µs for each request. Raises `RuntimeError`."""
    protocol = ["--h1"] if target.http1 else ["-m", str(case.streams)]
    body = ["-d", str(folder / "megabyte")] if case.upload else []
    before = cpu_seconds(target.started.pid)
    pinned = ["taskset", "-c", str(LOAD_CORE)]
    load = ["h2load", "-c", str(CONNECTIONS), "-n", str(case.requests), "-H", "x-api-key: k1"]
    url = f"http://127.0.0.1:{target.port}{case.path}"
    done = subprocess.run(
        [*pinned, *load, *protocol, *body, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    spent = cpu_seconds(target.started.pid) - before
    succeeded = re.search(r"(\d+) succeeded, 0 failed, 0 errored", done.stdout)
    received = re.search(r"\((\d+)\) data", done.stdout)
    if succeeded is None or int(succeeded[1]) != case.requests:
        raise RuntimeError(f"{target.name}: {done.stdout}")
    if received is None or int(received[1]) != case.requests * case.length:
        raise RuntimeError(f"{target.name} sent another length: {done.stdout}")
    return spent * 1e6 / case.requests


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    need("h2load", "nginx", "taskset")
    describe(
        "HTTP/2",
        f"Proxies on core {PROXY_CORE}, one at a time; load generator and upstream share core "
        f"{LOAD_CORE}. {CONNECTIONS} connections. CPU µs for each request, median "
        "[lowest-highest] (runs). Every response's status and length is checked.",
    )
    figures: dict[str, dict[str, list[float]]] = {}
    with Rig() as rig:
        upstream = start_upstream(rig)
        targets = start_targets(rig, upstream)
        for case in CASES:
            runs: dict[str, list[float]] = figures.setdefault(case.name, {})
            for number in range(args.rounds + 1):
                for target in targets:
                    cost = measure(target, case, rig.folder)
                    if number:  # the first warms up
                        runs.setdefault(target.name, []).append(cost)
        for case in CASES:
            print(f"## {case.name}\n")
            runs = figures[case.name]
            own = statistics.median(runs["plugbay"])
            rows = [
                [name, spread(costs), f"{own / statistics.median(costs):.2f}"]
                for name, costs in runs.items()
            ]
            table(["target", "CPU µs per request", "Plugbay / it"], rows)
        print(f"Plugbay is {resident_bytes(targets[0].started.pid) / (1 << 20):.1f} MiB.")
    if args.json:
        args.json.write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
