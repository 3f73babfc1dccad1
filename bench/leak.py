"""Leaks: 500 reloads of a plugin with several modules, a background task and an ASGI app.

    python -m bench.leak --swaps 500

After swap 100 the worker's resident memory must not grow any more (less than 2 % until the end),
and of the old generations at most one may be alive: the one that drains.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass, field

from bench._gateway import Gateway, wait_for, write_plugin
from bench._live import Traffic, get, metrics, open_files, plugin, resident, threads, total
from bench._rig import describe, table

MAIN = """
import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from plugbay.sdk import AsgiApp, BodyFilter, Plugin, Request, RequestFilter, Response
from plugbay_parts.table import TABLE, look_up

@dataclass(frozen=True, slots=True)
class Config:
    note: str = "first"

class Main(Plugin[Config], RequestFilter, BodyFilter, AsgiApp):
    async def start(self) -> None:
        self.ticks = 0
        self.words = resources.files("plugbay_parts").joinpath("plugbay.toml").read_text()
        self.host.spawn(self._tick(), name="tick")

    async def _tick(self) -> None:
        while True:
            self.ticks += 1
            await asyncio.sleep(0.05)

    def on_request(self, request: Request) -> Response | None:
        request.headers.set("x-looked-up", look_up(len(TABLE) - 1))
        return None

    async def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps({"ticks": self.ticks, "generation": self.host.generation}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
"""

TABLE = """
from plugbay_parts import more

TABLE = [f"entry {number}" for number in range(5000)]

def look_up(number: int) -> str:
    return more.clean(TABLE[number])
"""

MORE = """
import logging

log = logging.getLogger(__name__)

def clean(text: str) -> str:
    return text.strip()
"""

ROUTE = {"name": "app", "path": "/app", "plugin": "parts", "priority": 10}
STEP = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """A worker after some swaps, all of them drained."""

    swaps: int
    resident: int
    files: int
    threads: int
    draining: int


@dataclass(slots=True)
class Outcome:
    """What was measured."""

    samples: list[Sample] = field(default_factory=list[Sample])
    leaks: list[str] = field(default_factory=list[str])
    most_alive: int = 0
    dropped: int = 0
    failures: list[str] = field(default_factory=list[str])
    requests: int = 0

    def slope(self, first: int) -> float:
        """Growth of resident memory from swap `first` to the end, in percent of what it was.

        By the straight line through all samples: one moment says little.
        """
        late = [sample for sample in self.samples if sample.swaps >= first]
        swaps, sizes = [one.swaps for one in late], [one.resident for one in late]
        line = statistics.linear_regression(swaps, sizes)
        begin = line.intercept + line.slope * swaps[0]
        return 100 * line.slope * (swaps[-1] - swaps[0]) / begin


def install(gateway: Gateway) -> None:
    """Enable the plugin."""
    provides = 'provides = ["request-filter", "body-filter", "asgi-app"]\n'
    project = write_plugin(gateway.folder / "parts", "parts", "1.0.0", MAIN, provides)
    inside = project / "src" / "plugbay_parts"
    (inside / "table.py").write_text(TABLE)
    (inside / "more.py").write_text(MORE)
    gateway.push(project)
    gateway.operation(gateway.put("parts", version="1.0.0", watch=0.0, drain=10.0)["id"])
    gateway.operation(gateway.change("PUT", "/routes/app", ROUTE)["id"])


def run(gateway: Gateway, swaps: int, step: int = STEP) -> Outcome:
    """Reload the plugin again and again under light traffic; look every `step` swaps."""
    outcome = Outcome()
    with Traffic(gateway.address, clients=2, pause=0.02) as traffic:
        for number in range(swaps + 1):
            if number % step == 0:
                outcome.samples.append(look(gateway, number))
            if number < swaps:
                swap(gateway, outcome)
                # A generation that answers has been used, not only loaded.
                assert get(gateway.address, "/app").status == 200
    outcome.requests, outcome.failures = traffic.seen.requests, traffic.seen.failures
    # Of the log: the journal forgets the oldest of so many events.
    lines = gateway.log.read_text().splitlines()
    outcome.leaks = [line for line in lines if '"message":"leak on ' in line]
    return outcome


def swap(gateway: Gateway, outcome: Outcome) -> None:
    """Reload once, and wait until the old generation has gone."""
    operation = gateway.operation(gateway.change("POST", "/plugins/parts/reload")["id"])
    assert operation["state"] == "succeeded", operation["error"]
    outcome.dropped += operation["receipt"]["totals"]["dropped"]
    draining = plugin(gateway, "parts")["workers"][0]["slot"]["draining"]
    outcome.most_alive = max(outcome.most_alive, draining)


def look(gateway: Gateway, swaps: int) -> Sample:
    """Measure the worker when nothing drains any more."""

    def drained() -> bool:
        return total(metrics(gateway), "plugbay_plugin_draining") == 0

    wait_for("all old generations have gone", drained, every=0.1)
    (pid,) = gateway.worker_pids()
    draining = int(total(metrics(gateway), "plugbay_plugin_draining"))
    return Sample(swaps, resident(pid), open_files(pid), threads(pid), draining)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=500)
    parser.add_argument("--first", type=int, default=100)
    options = parser.parse_args()
    describe("Leaks", "3 modules, a background task, request, body and ASGI hooks; 2 clients ask")
    with Gateway(workers=1) as gateway:
        install(gateway)
        outcome = run(gateway, options.swaps)
    table(
        ("swaps", "RSS MiB", "files", "threads", "old generations"),
        [
            (one.swaps, f"{one.resident / (1 << 20):.2f}", one.files, one.threads, one.draining)
            for one in outcome.samples
        ],
    )
    slope = outcome.slope(options.first)
    print(f"RSS from swap {options.first} to {options.swaps}: {slope:+.2f} % (aim: less than 2 %)")
    print(f"old generations alive right after a swap: {outcome.most_alive} at most")
    print(f"leak reports: {len(outcome.leaks)} {outcome.leaks[:2]}")
    print(f"requests {outcome.requests}, failed {len(outcome.failures)}, dropped {outcome.dropped}")
    bad = slope >= 2 or outcome.most_alive > 1 or outcome.leaks or outcome.failures
    return int(bool(bad or outcome.dropped))


if __name__ == "__main__":
    sys.exit(main())
