"""What a call of a plugin in a process costs the gateway, beside the same plugin in process.

The same filter, which sets one header field of a request, as Python in the gateway's process, as a
Go program behind one stream of batches, and as a Python wheel in a process of its own. One call at
a time shows the latency that a request sees; many at once show what a call costs when the stream
carries several in a batch. `CPU` is the gateway's own, by `process_time`; `theirs` that of the
plugin's process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench._go import ROOT, build_go
from bench._rig import describe, table
from plugbay.artifacts.environments import Environments, Lock
from plugbay.kernel import LoadRequest
from plugbay.runtimes.process import ProcessRuntime
from plugbay.runtimes.process._instance import ProcessInstance
from plugbay.sdk import Headers, Manifest, Request
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from plugbay.kernel import Instance
    from plugbay.sdk import Capability

FIELDS = {
    "host": "example.com",
    "user-agent": "bench/1",
    "accept": "*/*",
    "accept-encoding": "gzip, br",
    "accept-language": "en",
    "cookie": "session=0123456789abcdef",
    "x-forwarded-for": "192.0.2.1",
    "x-request-id": "0123456789abcdef",
}
TOGETHER = (1, 16, 64)
PROVIDES: tuple[Capability, ...] = ("request-filter",)
WHEEL = """\
from plugbay.sdk import Plugin, RequestFilter


class Adder(Plugin, RequestFilter):
    def on_request(self, request):
        request.headers.set("x-added", "1.0.0")
"""


def request() -> Request:
    """Make a request of the usual size."""
    return Request("GET", "/items?page=2", headers=Headers.of(FIELDS), authority="example.com")


async def in_process(asked: Request) -> None:
    """Do in process what the Go program does."""
    asked.headers.set("x-added", "1.0.0")


async def measure(
    call: Callable[[Request], Awaitable[object]], together: int, seconds: float, pid: int = 0
) -> Sequence[str]:
    """Call for a while with so many at once; return the row's figures.

    `pid` is the plugin's process, if it has one.
    """
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        while (began := time.perf_counter()) < end:
            await call(request())
            latencies.append(time.perf_counter() - began)

    cpu, theirs = time.process_time(), _cpu_of(pid)
    await asyncio.gather(*(one() for _ in range(together)))
    cpu, theirs = time.process_time() - cpu, _cpu_of(pid) - theirs
    cuts = statistics.quantiles(latencies, n=100)
    return (
        f"{len(latencies) / seconds:,.0f}",
        f"{cuts[49] * 1e3:.3f}",
        f"{cuts[98] * 1e3:.3f}",
        f"{cpu / len(latencies) * 1e6:.1f}",
        f"{theirs / len(latencies) * 1e6:.1f}" if pid else "",
    )


def _cpu_of(pid: int) -> float:
    """Return the processor time that a process has used, in seconds (proc(5))."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wheel(folder: Path) -> Path:
    """Write the filter as a wheel that is unpacked."""
    place = folder / "wheel" / "plugbay_header_adder"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(WHEEL)
    return place.parent


async def run(seconds: float) -> None:
    """Measure both, and print the table."""
    program = build_go(ROOT / "go/examples/header-adder", version="1.0.0")
    manifest = Manifest(
        id="header-adder", version="1.0.0", api=1, runtime="process", entry="plugbay"
    )
    asked = LoadRequest(
        manifest=manifest,
        payload=program,
        digest=hashlib.sha256(program.read_bytes()).hexdigest(),
        config={},
        host=FakeHost("header-adder", "1.0.0"),
        generation=1,
    )
    rows: list[Sequence[str]] = []
    starts: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        runtime = ProcessRuntime(base=base)
        environment = await Environments(Path(base)).ensure(Lock())
        python = replace(
            asked,
            manifest=replace(manifest, entry="plugbay_header_adder:Adder", provides=PROVIDES),
            payload=wheel(Path(base)),
            digest="",
            environment=environment,
        )
        for together in TOGETHER:
            await measure(in_process, together, 0.3)
            rows.append(("python", str(together), *await measure(in_process, together, seconds)))
        for name, wanted in (("Go program", asked), ("wheel as a process", python)):
            starts[name] = await started(runtime, wanted)
            instance = await runtime.load(wanted)
            await instance.start()
            try:
                rows += await rows_of(name, instance, seconds)
            finally:
                await instance.stop()
    heads = ("runtime", "at once", "calls/s", "p50 ms", "p99 ms", "CPU µs/call", "theirs")
    table(heads, rows)
    for name, took in starts.items():
        print(f"load and start, {name}: {took * 1e3:.0f} ms (median of 5)")


async def started(runtime: ProcessRuntime, asked: LoadRequest) -> float:
    """Return how long a load and a start take, in seconds."""
    found: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        instance = await runtime.load(asked)
        await instance.start()
        found.append(time.perf_counter() - began)
        await instance.stop()
    return statistics.median(found)


async def rows_of(name: str, instance: Instance, seconds: float) -> list[Sequence[str]]:
    """Measure one process."""
    call, pid = instance.hooks["on_request"].call, 0
    if isinstance(instance, ProcessInstance) and instance.keeper.current is not None:
        pid = instance.keeper.current.process.pid
    rows: list[Sequence[str]] = []
    for together in TOGETHER:
        await measure(call, together, 0.3, pid)
        rows.append((name, str(together), *await measure(call, together, seconds, pid)))
    return rows


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    options = parser.parse_args()
    describe("A plugin's call by runtime", f"{options.seconds:g} s for each row.")
    uvloop.run(run(options.seconds))


if __name__ == "__main__":
    main()
