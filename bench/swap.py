"""Zero drop: swaps, config changes and enable/disable under requests, streams and WebSockets.

    python -m bench.swap --swaps 200 --clients 64 --streams 20 --websockets 20

Every response is checked to its last byte. A stream must carry one version's mark from its
first chunk to its last: it ends on the generation it began with.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench._gateway import Gateway, write_plugin
from bench._traffic import Answer, Seen, keep_asking, keep_streaming, keep_talking

if TYPE_CHECKING:
    from pathlib import Path

STAMP = """
from dataclasses import dataclass
from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

@dataclass(frozen=True, slots=True)
class Config:
    note: str = "first"

class Main(Plugin[Config], RequestFilter, ResponseFilter):
    def on_request(self, request: Request) -> Response | None:
        request.headers.set("x-stamp", "{version}")
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""

MARK = """
from collections.abc import AsyncIterator
from plugbay.sdk import BodyFilter, Plugin, Request, Response

class Main(Plugin[None], BodyFilter):
    async def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            # By line: two lines that the upstream sent apart may arrive as one chunk.
            yield b"".join(b"{version} " + line for line in chunk.splitlines(keepends=True))
"""

DRAIN = 3600.0
"""WebSockets live as long as the run: they must not be cut at a drain deadline."""

ROUTES = """
[[routes]]
name = "streams"
path = "/stream"
upstream = "sample"
priority = 10
"""


@dataclass
class Changes:
    """What was changed, how long each took, and what the receipts say."""

    operations: list[str] = field(default_factory=list[str])
    swap_ms: list[float] = field(default_factory=list[float])
    dropped: int = 0
    cancelled: int = 0
    in_flight: int = 0
    failed: list[str] = field(default_factory=list[str])

    def settle(self, gateway: Gateway) -> None:
        """Wait for the end of every operation and add its receipt up."""
        for id in self.operations:
            operation = gateway.operation(id)
            receipt = operation["receipt"]
            if operation["state"] != "succeeded" or not receipt:
                what = f"{operation['kind']}: {operation['state']} {operation['error']}"
                self.failed.append(what)
                continue
            totals = receipt["totals"]
            self.dropped += totals["dropped"]
            self.cancelled += totals["cancelled"]
            self.in_flight += totals["in_flight"]


def check_json(answer: Answer) -> str:
    """A JSON answer has a known stamp, or none while the plugin is disabled."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    if answer.headers.get("x-stamp", "1.0.0") not in ("1.0.0", "2.0.0"):
        return f"stamp {answer.headers.get('x-stamp')!r}"
    return "" if answer.body.endswith(b"}") else f"short body {answer.body[-40:]!r}"


def check_stream(chunks: int) -> Any:
    """A stream has all its lines, all marked by the same version."""

    def check(answer: Answer) -> str:
        lines = [line for line in answer.body.split(b"\n") if line]
        marks = {line.split(b" ", 1)[0] for line in lines}
        if answer.status != 200:
            return f"status {answer.status}: {answer.body[:200]!r}"
        if len(lines) != chunks:
            return f"{len(lines)} lines of {chunks}"
        return "" if len(marks) == 1 else f"marks of {sorted(marks)} in one stream"

    return check


def build(folder: Path) -> dict[tuple[str, str], Path]:
    """Write both plugins in two versions."""
    made: dict[tuple[str, str], Path] = {}
    for version in ("1.0.0", "2.0.0"):
        for plugin, source, provides in (
            ("stamp", STAMP, '"request-filter", "response-filter"'),
            ("mark", MARK, '"body-filter"'),
        ):
            made[plugin, version] = write_plugin(
                folder / f"{plugin}-{version}",
                plugin,
                version,
                source.replace("{version}", version),
                f"provides = [{provides}]\n",
            )
    return made


async def change_all(gateway: Gateway, swaps: int, changes: Changes) -> None:
    """Swap `swaps` times; every tenth time also a config change and off and on again."""
    loop = asyncio.get_running_loop()

    async def change(method: str, path: str, content: object = None) -> float:
        began = loop.time()
        operation = await asyncio.to_thread(gateway.change, method, path, content)
        changes.operations.append(operation["id"])
        return (loop.time() - began) * 1000

    for number in range(swaps):
        version = "2.0.0" if number % 2 == 0 else "1.0.0"
        took = await change("PUT", "/plugins/stamp", {"version": version})
        changes.swap_ms.append(took)
        if number % 5 == 4:
            await change("PUT", "/plugins/mark", {"version": version})
        if number % 10 == 9:
            config = {"config": {"note": f"number {number}"}}
            await change("PUT", "/plugins/stamp/config", config)
            await change("POST", "/plugins/stamp/disable")
            await change("POST", "/plugins/stamp/enable")


async def run(gateway: Gateway, options: argparse.Namespace) -> tuple[Seen, Changes]:
    """Run traffic and changes at the same time."""
    seen, changes, stop = Seen(), Changes(), asyncio.Event()
    stream = f"/stream?chunks={options.chunks}&delay=0.05"
    async with asyncio.TaskGroup() as group:
        for _ in range(options.clients):
            group.create_task(
                keep_asking(gateway.address, "/json", seen, stop, check_json, options.pause)
            )
        for _ in range(options.streams):
            group.create_task(
                keep_streaming(gateway.address, stream, seen, stop, check_stream(options.chunks))
            )
        for _ in range(options.websockets):
            group.create_task(keep_talking(gateway.address, "/ws", seen, stop, 0.05))
        try:
            await change_all(gateway, options.swaps, changes)
        finally:
            stop.set()
    await asyncio.to_thread(changes.settle, gateway)
    return seen, changes


def report(seen: Seen, changes: Changes) -> int:
    """Print the figures; return 1 if a client saw a failure."""
    times = sorted(changes.swap_ms)
    rows = {
        "swaps": len(times),
        "other changes": len(changes.operations) - len(times),
        "swap p50 ms": f"{quantile(times, 0.5):.1f}",
        "swap p99 ms": f"{quantile(times, 0.99):.1f}",
        "requests": seen.requests,
        "streams, whole and of one version": seen.streams,
        "websocket messages": seen.messages,
        "failed, reset or truncated": len(seen.failures),
        "changes not succeeded": len(changes.failed),
        "receipts: in flight at the flips": changes.in_flight,
        "receipts: cancelled": changes.cancelled,
        "receipts: dropped": changes.dropped,
    }
    for name, value in rows.items():
        print(f"{name:36} {value}")
    for failure in (seen.failures + changes.failed)[:10]:
        print("  ", failure)
    return int(bool(seen.failures or changes.failed or changes.dropped))


def quantile(values: list[float], share: float) -> float:
    """Return the value at `share` of sorted `values`."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--websockets", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=60, help="lines of a stream, 50 ms apart")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between requests")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with Gateway(workers=options.workers, settings=ROUTES) as gateway:
        prepare(gateway)
        return report(*asyncio.run(run(gateway, options)))


def prepare(gateway: Gateway) -> None:
    """Upload both plugins in both versions and enable the first."""
    for project in build(gateway.folder / "plugins").values():
        gateway.push(project)
    gateway.put("stamp", version="1.0.0", drain=DRAIN, watch=5.0)
    gateway.put("mark", version="1.0.0", routes=["streams"], drain=DRAIN, watch=5.0)


if __name__ == "__main__":
    sys.exit(main())
