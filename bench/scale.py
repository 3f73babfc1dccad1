"""Scale: requests a second with 1 and 2 workers, and what workers and idle connections weigh.

    python -m bench.scale --seconds 5

The load generator and the upstream run on the same machine: with as many workers as cores they
take time from each other, so the figure is a lower bound of what more workers bring.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from bench._gateway import Gateway
from bench._live import get, resident
from bench._load import idle_connections
from bench._rig import cpu_seconds, describe, need, table

PATH = "/json"


@dataclass(frozen=True, slots=True)
class Figure:
    """A run: requests a second, CPU µs for each, each worker's share, and bytes resident."""

    workers: int
    rate: float
    micros: float
    shares: tuple[float, ...]
    resident: tuple[int, ...]
    idle_bytes: float
    wrong: int


def measure(workers: int, seconds: int, idle: int) -> Figure:
    """Start a gateway with so many workers and measure it."""
    with Gateway(workers=workers) as gateway:
        pids = gateway.worker_pids()
        sizes = tuple(resident(pid) for pid in pids)
        get(gateway.address, PATH)
        weight = _idle(gateway, pids, idle)
        load(gateway.address, 1)
        before = [cpu_seconds(pid) for pid in pids]
        began = time.monotonic()
        requests, wrong = load(gateway.address, seconds)
        lasted = time.monotonic() - began
        used = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    shares = tuple(cpu / sum(used) for cpu in used)
    return Figure(
        workers, requests / lasted, 1e6 * sum(used) / requests, shares, sizes, weight, wrong
    )


def load(address: str, seconds: int) -> tuple[int, int]:
    """Ask as fast as it goes over 64 connections; return requests, and how many went wrong."""
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://{address}{PATH}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests = re.search(r"(\d+) requests in", text)
    assert requests is not None, text
    wrong = sum(int(found) for found in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    for line in re.findall(r"Socket errors: (.*)", text):
        wrong += sum(map(int, re.findall(r"\d+", line)))
    return int(requests[1]), wrong


def _idle(gateway: Gateway, pids: list[int], count: int) -> float:
    """Return how many bytes an idle connection, which has had a response, adds to the workers."""
    port = int(gateway.address.rpartition(":")[2])
    # What the first ones cause is not theirs: buffers and caches are made once.
    warm = idle_connections(port, PATH, 50)
    before = sum(map(resident, pids))
    opened = idle_connections(port, PATH, count)
    added = sum(map(resident, pids)) - before
    for connection in (*warm, *opened):
        connection.close()
    return added / count


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=1000)
    options = parser.parse_args()
    need("wrk")
    cores = os.cpu_count() or 1
    note = f"{cores} cores for everything: the workers, wrk and the upstream (one process)"
    describe("Scale", note)
    figures = [measure(workers, options.seconds, options.idle) for workers in (1, 2)]
    table(
        ("workers", "requests/s", "CPU µs/request", "shares", "RSS MiB", "1,000 idle MiB", "wrong"),
        [
            (
                one.workers,
                f"{one.rate:.0f}",
                f"{one.micros:.0f}",
                " ".join(f"{share:.0%}" for share in one.shares),
                " ".join(f"{size / (1 << 20):.1f}" for size in one.resident),
                f"{one.idle_bytes * 1000 / (1 << 20):.1f}",
                one.wrong,
            )
            for one in figures
        ],
    )
    print(f"2 workers: {figures[1].rate / figures[0].rate:.2f} times the requests of 1")
    print("aims: a worker at most 60 MiB, 1,000 idle connections at most 5 MB")
    return int(any(one.wrong for one in figures))


if __name__ == "__main__":
    sys.exit(main())
