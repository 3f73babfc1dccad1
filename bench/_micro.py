"""What the cases of a bench cost that all run in this process: CPU time, and instructions."""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from typing import TYPE_CHECKING

from bench._cachegrind import instructions
from bench._rig import describe, need, spread, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Run = Callable[[int], Awaitable[None] | None]
    Cases = Mapping[str, Callable[[], Run]]


def compare(
    module: str,
    title: str,
    about: str | None,
    cases: Cases,
    *,
    unit: str,
    batch: int,
    rounds: int,
    counted: Cases | None = None,
) -> int:
    """Read the command line of a bench `module` and print a table; each case makes its own run.

    A run takes so many of a `unit`. `counted` are the cases as valgrind is to run them, if that
    is another way.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--only", default="", help="only those whose name has this in it")
    parser.add_argument("--instructions", action="store_true", help="count them under valgrind")
    parser.add_argument("--case", choices=cases, help="run only this, and measure nothing")
    parser.add_argument("--count", type=int, default=batch, help=f"{unit}s to take, with --case")
    args = parser.parse_args()
    if args.case:
        asyncio.run(_run((counted or cases)[args.case], args.count))
        return 0
    describe(title, f"One small {unit}, in process; batches of {batch}.")
    chosen = {name: make for name, make in cases.items() if args.only in name}
    figures = asyncio.run(_time(chosen, args.rounds, batch))
    header = ["case", f"CPU µs per {unit}"]
    rows: list[list[object]] = [[name, spread(values, 2)] for name, values in figures.items()]
    if args.instructions:
        need("valgrind")
        header.append("instructions")
        for row in rows:
            row.append(f"{instructions(module, str(row[0]), batch):,.0f}")
    table(header, rows)
    return 0


async def _run(make: Callable[[], Run], count: int) -> None:
    gc.disable()  # when it runs depends on what was remembered before
    await _turn(make(), count)


async def _time(cases: Cases, rounds: int, batch: int) -> dict[str, list[float]]:
    """Let the cases take turns and return the CPU µs of a unit in each round."""
    runs = {name: make() for name, make in cases.items()}
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        await _turn(run, batch)
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.process_time_ns()
            await _turn(run, batch)
            figures[name].append((time.process_time_ns() - began) / batch / 1e3)
    return figures


async def _turn(run: Run, count: int) -> None:
    done = run(count)
    if done is not None:
        await done
