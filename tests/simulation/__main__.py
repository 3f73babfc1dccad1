"""Run many seeds, or one again; or count which planted faults are found, and how soon."""

# ruff: noqa: T201 -- a command: printing is what it is for
from __future__ import annotations

import argparse
import gc
import sys
import time

from tests.simulation.faults import FAULTS, planted
from tests.simulation.scenario import run


def main() -> int:
    """Return 1 if a seed breaks an invariant, or a planted fault is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="only this one, twice, with its trace")
    parser.add_argument("--verbose", action="store_true", help="print the trace as it happens")
    parser.add_argument("--plant", default="", choices=["", "all", *FAULTS], help="a fault")
    asked = parser.parse_args()
    gc.disable()
    if asked.seed is not None:
        with planted(asked.plant):
            return _again(asked.seed, verbose=asked.verbose)
    if asked.plant == "all":
        return _hunt_all(asked.first, asked.seeds)
    with planted(asked.plant):
        return _many(asked.first, asked.seeds)


def _many(first: int, count: int) -> int:
    began, bad = time.process_time(), 0
    for seed in range(first, first + count):
        world = run(seed)
        if world.violations:
            bad += 1
            print(f"seed {seed} (trace {world.hash()}):", *world.violations[:5], sep="\n  ")
        if seed % 50 == 49:
            gc.collect()
    rate = count / (time.process_time() - began)
    print(f"{count} seeds, {bad} with a broken invariant, {rate:.0f} seeds/s of processor time")
    return 1 if bad else 0


def _again(seed: int, *, verbose: bool) -> int:
    world = run(seed, verbose=verbose)
    same = run(seed).hash() == world.hash()
    print(f"seed {seed}: trace {world.hash()}, {'replays exactly' if same else 'DOES NOT REPLAY'}")
    print(*world.violations, sep="\n")
    return 1 if world.violations or not same else 0


def _hunt_all(first: int, most: int) -> int:
    found = 0
    for name in FAULTS:
        tried, what = hunt(name, first, most)
        found += bool(what)
        print(f"{name:28} {f'after {tried} seeds: {what}' if what else f'NOT in {tried} seeds'}")
    print(f"{found} of {len(FAULTS)} planted faults found")
    return 0 if found == len(FAULTS) else 1


def hunt(name: str, first: int, most: int) -> tuple[int, str]:
    """Return how many seeds it took to find a planted fault, and what was broken."""
    with planted(name):
        for tried in range(1, most + 1):
            world = run(first + tried - 1)
            if world.violations:
                return tried, world.violations[0]
            if tried % 50 == 0:
                gc.collect()
    return most, ""


if __name__ == "__main__":
    sys.exit(main())
