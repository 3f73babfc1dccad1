"""What a way to an MCP server costs: latency, rate, CPU time and memory of what stands between."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class Figures:
    """What was measured on one way."""

    medians: list[float] = field(default_factory=list[float])
    seconds: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    cpu_many: list[float] = field(default_factory=list[float])
    large: float = 0.0
    memory_kb: int = 0
    large_memory_kb: int = 0

    def p50(self) -> float:
        """Return the median latency in milliseconds, of the round that noise has hit least."""
        return min(self.medians) * 1000

    def p99(self) -> float:
        """Return the 99th percentile in milliseconds, of all rounds."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] * 1000

    def rate(self) -> float:
        """Return calls in a second: the best round, which noise has hit least."""
        return max(self.rates)


class Way(Protocol):
    """A way to a server."""

    figures: Figures

    @property
    def pids(self) -> Sequence[int]:
        """The processes that stand between."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...

    async def one(self, id: int, message: str = "hello") -> None:
        """Make one call."""
        ...

    async def many(self, count: int) -> None:
        """Make calls, several in flight."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


def peak(pids: Sequence[int]) -> int:
    """Return the largest memory of these processes so far, in KiB."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            found = max(found, int(status.split("VmHWM:")[1].split()[0]))
    return found


def used(pids: Sequence[int]) -> float:
    """Return the CPU seconds that these processes have used, to the nanosecond."""
    files = [path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in files) / 1e9


async def measure(
    ways: Mapping[str, Way],
    rounds: int,
    serial: int,
    many: int,
    *,
    slow: Sequence[str] = (),
    large: bool = False,
    seconds: float = math.inf,
) -> None:
    """Measure every way in turn, `rounds` times; `slow` ones by fewer calls.

    After `seconds` no round is begun any more, but there are two at least.
    """
    for way in ways.values():
        await way.open()
    over = time.monotonic() + seconds
    for number in range(rounds):
        if number > 1 and time.monotonic() > over:
            break
        for name, way in ways.items():
            share = 10 if name in slow else 1
            took: list[float] = []
            before = used(way.pids)
            for id in range(1, serial // share + 1):
                began = time.perf_counter()
                await way.one(id)
                took.append(time.perf_counter() - began)
            way.figures.cpu.append((used(way.pids) - before) / len(took))
            way.figures.seconds += took
            way.figures.medians.append(statistics.median(took))
            before = used(way.pids)
            began = time.perf_counter()
            await way.many(many // share)
            way.figures.rates.append(many // share / (time.perf_counter() - began))
            way.figures.cpu_many.append((used(way.pids) - before) / (many // share))
    for way in ways.values():
        way.figures.memory_kb = peak(way.pids)
    if large:
        await measure_large(ways)
    for way in ways.values():
        await way.close()


async def measure_large(ways: Mapping[str, Way]) -> None:
    """Send 10 MB there and back three times, and keep the quickest."""
    text = "x" * 10_000_000
    for way in ways.values():
        took: list[float] = []
        for id in range(3):
            began = time.perf_counter()
            await way.one(id, text)
            took.append(time.perf_counter() - began)
        way.figures.large = min(took)
        way.figures.large_memory_kb = peak(way.pids)


def show(title: str, ways: Mapping[str, Way], floor: str) -> None:
    """Print a table. The CPU time of a call is that of what stands between, not of the server:
    of calls one after the other, and of many at once, where a process is woken for several.
    Rates are compared with that of the first way, and of the way `floor`, if it is there."""
    columns = (
        f"{'p50 ms':>8} {'p99 ms':>8} {'+p50':>8} {'calls/s':>9} {'share':>6} {'of relay':>8}"
        f" {'CPU µs':>7} {'at once':>7} {'MiB':>6}"
    )
    least = ways[floor].figures.rate() if floor in ways else math.nan
    large = any(way.figures.large for way in ways.values())
    print(f"\n{title:44} {columns}" + (f" {'10 MB ms':>9} {'MiB then':>9}" if large else ""))
    direct = next(iter(ways.values())).figures
    for name, way in ways.items():
        one = way.figures
        added, share = one.p50() - direct.p50(), one.rate() / direct.rate()
        row = (
            f"{name:44} {one.p50():8.3f} {one.p99():8.3f} {added:8.3f} {one.rate():9.0f}"
            f" {share:6.0%} {one.rate() / least:8.0%} {min(one.cpu) * 1e6:7.0f}"
            f" {min(one.cpu_many) * 1e6:7.0f} {one.memory_kb / 1024:6.0f}"
        )
        if large:
            row += f" {one.large * 1000:9.0f} {one.large_memory_kb / 1024:9.0f}"
        print(row, flush=True)
