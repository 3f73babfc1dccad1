"""Scale: what a second worker brings, what it costs, and what workers and idle connections weigh.

    python -m bench.scale --seconds 5

Load generator and upstream run on the same machine. With as many workers as cores they take time
from them, unless a request is dear: the first table has a plugin that checks a secret in the way of
a real policy, so that both together need little of the machine, and a worker what is left.

The second has no plugin, and all workers on one core, the load on another: so a second worker can
bring nothing, and it shows what it costs. A request is the dearer the fewer requests come with each
wake-up of the loop, so each worker has as many connections in all lines.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench._gateway import Gateway, Upstream, write_plugin
from bench._live import get, resident
from bench._load import idle_connections
from bench._rig import LOAD_CORE, PROXY_CORE, cpu_seconds, describe, need, table

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/json"
COUNTS = (1, 2)
EACH = 32
"""Connections of each worker where there is no plugin."""
ROUNDS = 4000
POLICY = f"""
from hashlib import pbkdf2_hmac
from hmac import compare_digest

from plugbay.sdk import Plugin, Request, RequestFilter, Response

SALT = b"salt of the bench"
KNOWN = pbkdf2_hmac("sha256", b"secret", SALT, {ROUNDS})

class Main(Plugin[None], RequestFilter):
    def on_request(self, request: Request) -> Response | None:
        given = pbkdf2_hmac("sha256", b"secret", SALT, {ROUNDS})
        return None if compare_digest(given, KNOWN) else Response.problem(401)
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run came to; CPU time in seconds, `shares` of the workers."""

    requests: int
    wrong: int
    seconds: float
    cpu: float
    shares: tuple[float, ...]
    others: float
    """CPU time of load generator and upstream."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def micros(self) -> float:
        """CPU µs of the workers for each request."""
        return 1e6 * self.cpu / self.requests


def measure(gateway: Gateway, connections: int, seconds: int, core: int | None = None) -> Load:
    """Ask as fast as it goes, the load on `core` if it has one, and see who has worked how long."""
    pids, upstream = gateway.worker_pids(), gateway.upstream.process.pid
    ask(gateway.address, connections, 1, core)
    before, others = [cpu_seconds(pid) for pid in pids], cpu_seconds(upstream) + _children()
    began = time.monotonic()
    requests, wrong = ask(gateway.address, connections, seconds, core)
    lasted = time.monotonic() - began
    used = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    others = cpu_seconds(upstream) + _children() - others
    shares = tuple(cpu / sum(used) for cpu in used)
    return Load(requests, wrong, lasted, sum(used), shares, others)


def ask(address: str, connections: int, seconds: int, core: int | None) -> tuple[int, int]:
    """Ask as fast as it goes; return requests, and how many went wrong."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://{address}{PATH}"]
    text = subprocess.run([*pinned, *command], capture_output=True, text=True, check=True).stdout
    requests = re.search(r"(\d+) requests in", text)
    assert requests is not None, text
    wrong = sum(int(found) for found in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    for line in re.findall(r"Socket errors: (.*)", text):
        wrong += sum(map(int, re.findall(r"\d+", line)))
    return int(requests[1]), wrong


def _children() -> float:
    """Return the CPU time of the load generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def dear(workers: int, seconds: int) -> Load:
    """Measure requests that a plugin makes dear; workers run where there is room."""
    with Gateway(workers=workers, upstream=(upstream := Upstream("bench._anything"))) as gateway:
        try:
            manifest = 'provides = ["request-filter"]\n'
            gateway.push(write_plugin(gateway.folder / "p", "policy", "1.0.0", POLICY, manifest))
            gateway.put("policy", version="1.0.0")
            return measure(gateway, 8 * workers, seconds)
        finally:
            upstream.close()


def cheap(workers: int, seconds: int) -> Load:
    """Measure requests without a plugin, all workers on one core and the load on another."""
    with Gateway(workers=workers, upstream=(upstream := Upstream("bench._anything"))) as gateway:
        try:
            for pid in gateway.worker_pids():
                os.sched_setaffinity(pid, {PROXY_CORE})
            os.sched_setaffinity(upstream.process.pid, {LOAD_CORE})
            return measure(gateway, EACH * workers, seconds, LOAD_CORE)
        finally:
            upstream.close()


def weigh(count: int) -> tuple[float, float]:
    """Return a worker's MiB, and MiB for `count` idle connections that have had a response."""
    with Gateway() as gateway:
        (pid,) = gateway.worker_pids()
        get(gateway.address, PATH)
        port = int(gateway.address.rpartition(":")[2])
        # What the first ones cause is not theirs: buffers and caches are made once.
        warm = idle_connections(port, PATH, 50)
        before = resident(pid)
        opened = idle_connections(port, PATH, count)
        added = resident(pid) - before
        for connection in (*warm, *opened):
            connection.close()
    return before / (1 << 20), added / (1 << 20)


def print_loads(title: str, loads: Sequence[Load]) -> None:
    """Print one table, a line for each number of workers."""
    print(f"## {title}\n")
    cores = os.cpu_count() or 1
    table(
        ("workers", "requests/s", "CPU µs/request", "shares", "load and upstream", "wrong"),
        [
            (
                workers,
                f"{one.rate:,.0f}",
                f"{one.micros:.0f}",
                " ".join(f"{share:.0%}" for share in one.shares),
                f"{one.others / one.seconds / cores:.0%} of the machine",
                one.wrong,
            )
            for workers, one in zip(COUNTS, loads, strict=True)
        ],
    )


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=1000)
    options = parser.parse_args()
    need("wrk", "taskset")
    describe("Scale", f"{os.cpu_count()} cores for everything: workers, wrk and the upstream")
    loads = [dear(workers, options.seconds) for workers in COUNTS]
    print_loads(f"A plugin that checks a secret by {ROUNDS:,} rounds of PBKDF2", loads)
    print(f"2 workers: {loads[1].rate / loads[0].rate:.2f} times the requests of 1\n")
    more = [cheap(workers, options.seconds) for workers in COUNTS]
    print_loads(f"No plugin, all workers on one core, {EACH} connections each", more)
    size, idle = weigh(options.idle)
    print(f"a worker: {size:.1f} MiB (aim: 60); {options.idle:,} idle connections: {idle:.1f} MiB")
    return int(any(one.wrong for one in (*loads, *more)))


if __name__ == "__main__":
    sys.exit(main())
