"""What the parts share: the plugins, clients, and how time and memory are taken."""

from __future__ import annotations

import mmap
import random
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 15


def load(module: str) -> Any:
    """Return a module of a plugin: they are no packages of this project."""
    name = module.partition(".")[0].removeprefix("plugbay_").replace("_", "-")
    path = str(ROOT / "plugins" / "protection" / name / "src")
    if path not in sys.path:
        sys.path.append(path)
    return import_module(module)


def microseconds(work: Callable[[int], object], count: int = 5000) -> str:
    """Return the best and the median of some rounds, of processor time: others may be busy."""
    took: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        work(count)
        took.append((time.thread_time() - began) / count * 1e6)
    return f"best {min(took):.2f} µs, median {statistics.median(took):.2f} µs"


def addresses(count: int) -> list[str]:
    chance = random.Random(1)
    return [".".join(str(chance.randrange(1, 255)) for _ in range(4)) for _ in range(count)]


def rss() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 1e6
