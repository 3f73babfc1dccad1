"""What a plugin that does nothing costs a request in the chain, like for like.

Chains of 0, 1, 3 and 10 plugins take turns in one process on one core. Each request enters the
chain, runs the request hooks, the response hooks, and leaves; timing, outcome counters, vitals,
breaker and guard are those of the product. Every plugin of a row has the same number of hooks.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, cast

from bench._hooks import Nothing, NothingTwice, members
from bench._rig import PROXY_CORE, describe, spread, table
from plugbay.app._clock import SystemClock
from plugbay.gateway.chain._chain import Chain  # no part of the public face: only a table makes one
from plugbay.observability import Registry
from plugbay.sdk import Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (0, 1, 3, 10)
BATCH = 2_000


class Exchange:
    """What a chain touches of an exchange, and no more."""

    __slots__ = ("cancelled", "entered", "plugin_seconds", "request")

    def __init__(self) -> None:
        self.cancelled = False
        self.entered = 0
        self.plugin_seconds = 0.0
        self.request: Request | None = None


def batch(plugins: list[object]) -> Callable[[], float]:
    """Return a function that runs `BATCH` requests and returns the CPU µs that each took."""
    chain = Chain(members(*plugins), Registry(), SystemClock().monotonic)
    request = Request("GET", "/", headers=Headers([(b"host", b"bench")]))
    response = Response(200, Headers([(b"content-type", b"text/plain")]), None)

    def run() -> float:
        began = time.process_time_ns()
        for _ in range(BATCH):
            exchange = cast("Any", Exchange())
            chain.enter(exchange)
            chain.on_request(request, exchange)
            chain.on_response(request, response, exchange.entered)
            chain.leave(exchange)
        return (time.process_time_ns() - began) / BATCH / 1e3

    return run


def compare(make: Callable[[], object], rounds: int) -> dict[int, list[float]]:
    """Let the chains take turns and return the µs of each size."""
    chains = {size: batch([make() for _ in range(size)]) for size in SIZES}
    figures: dict[int, list[float]] = {size: [] for size in SIZES}
    for run in chains.values():
        run()
    for _ in range(rounds):
        for size, run in chains.items():
            figures[size].append(run())
    return figures


def main() -> int:
    """Print the tables; fail if a plugin costs more than 2 µs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    os.sched_setaffinity(0, {PROXY_CORE})
    describe(
        "Chain", f"{args.rounds} rounds of {BATCH} requests; median [lowest-highest] (rounds)."
    )
    worst = 0.0
    for title, make in (("one hook", Nothing), ("two hooks", NothingTwice)):
        figures = compare(make, args.rounds)
        base = statistics.median(figures[0])
        rows: list[list[object]] = []
        for size, values in figures.items():
            each = (statistics.median(values) - base) / size if size else 0.0
            worst = max(worst, each)
            rows.append([size, spread(values, 2), each])
        print(f"## Plugins with {title} that does nothing\n")
        table(["plugins", "µs per request", "µs per plugin"], rows)
    print(f"Dearest plugin: {worst:.2f} µs; the aim is at most 2.")
    return 0 if worst <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
