"""What a call of a plugin in a process costs the gateway, beside the same plugin in process.

The same filter, which sets one header field of a request, as Python in the gateway's process and
as a Go program behind one stream of batches. One call at a time shows the latency that a request
sees; many at once show what a call costs when the stream carries several in a batch. `CPU` is the
gateway's own, by `process_time`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import statistics
import tempfile
import time
from typing import TYPE_CHECKING

import uvloop

from bench._go import ROOT, build_go
from bench._rig import describe, table
from plugbay.kernel import LoadRequest
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Headers, Manifest, Request
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

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


def request() -> Request:
    """Make a request of the usual size."""
    return Request("GET", "/items?page=2", headers=Headers.of(FIELDS), authority="example.com")


async def in_process(asked: Request) -> None:
    """Do in process what the Go program does."""
    asked.headers.set("x-added", "1.0.0")


async def measure(
    call: Callable[[Request], Awaitable[object]], together: int, seconds: float
) -> Sequence[str]:
    """Call for a while with so many at once; return the row's figures."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        while (began := time.perf_counter()) < end:
            await call(request())
            latencies.append(time.perf_counter() - began)

    cpu = time.process_time()
    await asyncio.gather(*(one() for _ in range(together)))
    cpu = time.process_time() - cpu
    cuts = statistics.quantiles(latencies, n=100)
    return (
        f"{len(latencies) / seconds:,.0f}",
        f"{cuts[49] * 1e3:.3f}",
        f"{cuts[98] * 1e3:.3f}",
        f"{cpu / len(latencies) * 1e6:.1f}",
    )


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
    with tempfile.TemporaryDirectory(prefix="pb") as base:
        runtime = ProcessRuntime(base=base)
        starts: list[float] = []
        for _ in range(5):
            began = time.perf_counter()
            instance = await runtime.load(asked)
            await instance.start()
            starts.append(time.perf_counter() - began)
            await instance.stop()
        instance = await runtime.load(asked)
        await instance.start()
        try:
            for name, call in (
                ("python", in_process),
                ("process", instance.hooks["on_request"].call),
            ):
                for together in TOGETHER:
                    await measure(call, together, 0.3)
                    figures = await measure(call, together, seconds)
                    rows.append((name, str(together), *figures))
        finally:
            await instance.stop()
    heads = ("runtime", "at once", "calls/s", "p50 ms", "p99 ms", "CPU µs/call")
    table(heads, rows)
    print(f"load and start of a Go program: {statistics.median(starts) * 1e3:.0f} ms (median of 5)")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    options = parser.parse_args()
    describe("A plugin's call by runtime", f"{options.seconds:g} s for each row.")
    uvloop.run(run(options.seconds))


if __name__ == "__main__":
    main()
