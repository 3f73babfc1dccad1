"""What all seven protection plugins cost a benign request, and whom they refuse by mistake.

    bench/run protection_cost            # or: python -m bench.protection_cost --log access.log.gz

A real access log is replayed, with its own times, through the product's chain: once without a
plugin and once with all seven, in turns, each request after the other; CPU time of the thread.
Then it is replayed again from the start, and whom anybody refuses is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bench._hooks import members
from bench._protected import PROTECTION, ROOT
from bench._rig import describe, percentile, table
from bench._seven import Seven, seven
from bench.chain import Exchange
from plugbay.app._clock import SystemClock
from plugbay.gateway.chain._chain import Chain  # no part of the public face: only a table makes one
from plugbay.observability import Registry
from plugbay.sdk import Headers, Request, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

# Plugins are no packages of this project: `_seven` has put them on the path.
evaluate: Any = import_module("plugbay_ratelimit_ml.evaluate")
agents: Any = import_module("plugbay_ratelimit_ml._agents")
LOG: Final = PROTECTION / "ratelimit-ml" / "tests" / "data" / "access.log.gz"
AIM: Final = 150.0
"""Microseconds at the median."""


@dataclass(slots=True)
class Refused:
    """Requests that one plugin has answered."""

    requests: int = 0
    clients: set[str] = field(default_factory=set[str])
    software: int = 0
    """Of those whose user agent says that they are software."""
    statuses: Counter[int] = field(default_factory=Counter[int])
    targets: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class Outcome:
    """CPU microseconds of each request, without and with the plugins, and who was refused."""

    without: list[float] = field(default_factory=list[float])
    with_all: list[float] = field(default_factory=list[float])
    requests: int = 0
    refused: dict[str, Refused] = field(default_factory=dict[str, Refused])

    @property
    def added(self) -> float:
        """What the seven add at the median."""
        return statistics.median(self.with_all) - statistics.median(self.without)


def request_of(line: Any) -> tuple[Request, Response]:
    """Return what a browser has sent, and what it got."""
    fields = [(b"host", b"www.example"), (b"user-agent", line.agent.encode("latin-1", "replace"))]
    fields += [(b"accept", b"*/*"), (b"accept-encoding", b"gzip"), (b"accept-language", b"en")]
    if line.referer not in ("", "-"):
        fields.append((b"referer", line.referer.encode("latin-1", "replace")))
    target = line.target.encode("latin-1", "replace")
    request = Request("GET", target.decode("latin-1"), headers=Headers(fields), client=line.client)
    return request, Response(line.status, Headers([(b"content-type", b"text/html")]), None)


async def cost(made: Seven, log: Sequence[Any]) -> Outcome:
    """Replay the log through a chain of nobody and through one of all seven, in turns."""
    outcome, loop = Outcome(), asyncio.get_running_loop()
    now = SystemClock().monotonic
    empty = Chain([], Registry(), now)
    full = Chain(members(*made.plugins.values(), phase="pre-routing"), Registry(), now)
    for line in log:
        _move(made, line)
        for chain, times in ((empty, outcome.without), (full, outcome.with_all)):
            request, response = request_of(line)
            exchange = cast("Any", Exchange())
            began = time.thread_time_ns()
            chain.enter(exchange)
            if chain.waits_on_request:  # a request that waits is a task of its own in the product
                answer = await loop.create_task(
                    cast("Any", chain.on_request_async(request, exchange))
                )
            else:
                answer = chain.on_request(request, exchange)
            if answer is None:
                chain.on_response(request, response, exchange.entered)
            for _, hook in chain.observers:
                hook.call(request, answer or response, None)
            chain.leave(exchange)
            times.append((time.thread_time_ns() - began) / 1e3)
        made.bus.deliver()
        await asyncio.sleep(0)  # the background tasks' turn
    return outcome


async def mistakes(made: Seven, log: Sequence[Any], outcome: Outcome) -> None:
    """Replay the log and note who is refused by whom."""
    for line in log:
        _move(made, line)
        request, response = request_of(line)
        found = await made.ask(request)
        made.complete(request, response if found is None else found[1])
        await asyncio.sleep(0)
        outcome.requests += 1
        if found is not None:
            entry = outcome.refused.setdefault(found[0], Refused())
            entry.requests += 1
            entry.clients.add(line.client)
            entry.software += agents.says_so(line.agent)
            entry.statuses[found[1].status] += 1
            entry.targets[line.target] += 1


def _move(made: Seven, line: Any) -> None:
    """Let it be the time of the line; logs are not quite in order."""
    made.clock.advance(max(0.0, line.time - made.clock.time()))


async def run(log: Path) -> Outcome:
    """Measure both."""
    async with seven(begins=0.0) as made:
        read = sorted(evaluate.lines(log), key=lambda line: float(line.time))
        outcome = await cost(made, read)
    async with seven(begins=0.0) as made:
        await mistakes(made, read, outcome)
    return outcome


def report(outcome: Outcome) -> int:
    """Print the figures; return 1 if the aim is missed."""
    rows = [
        [name, len(times), *(percentile(times, percent) for percent in (50, 90, 99))]
        for name, times in (("no plugin", outcome.without), ("all seven", outcome.with_all))
    ]
    rows.append(["added", "", *(rows[1][n] - rows[0][n] for n in (2, 3, 4))])  # type: ignore[operator]  # columns 2 to 4 are numbers
    table(("chain", "requests", "p50 µs", "p90 µs", "p99 µs"), rows)
    print(f"added at the median: {outcome.added:.0f} µs (aim: at most {AIM:.0f} µs)\n")
    refused = [
        [
            name,
            one.requests,
            f"{100 * one.requests / outcome.requests:.3f} %",
            len(one.clients),
            one.software,
            " ".join(map(str, sorted(one.statuses))),
            one.targets.most_common(1)[0][0][:48],
        ]
        for name, one in outcome.refused.items()
    ]
    heads = ("refused by", "requests", "share", "clients", "say: software", "status", "most often")
    table(heads, refused)
    total = sum(one.requests for one in outcome.refused.values())
    share = 100 * total / outcome.requests
    print(f"refused or held: {total} of {outcome.requests} requests ({share:.3f} %)")
    return int(outcome.added > AIM)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, default=LOG, help="access log, combined format")
    options = parser.parse_args()
    log: Path = options.log
    name = log.relative_to(ROOT) if log.is_relative_to(ROOT) else log.name
    describe("The cost of all seven protection plugins", f"log: {name}; all enforce")
    return report(asyncio.run(run(log)))


if __name__ == "__main__":
    sys.exit(main())
