"""What judging a binary costs: each layer but the trial, on shared objects of three sizes.

    python -m bench.layers [--rounds 15] [--json FILE]

The small one is a plugin of the standard library's smallest part; the others are the same with
more of it, and filled up to 45 MB. The target is 200 ms for all layers together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import go_binaries

from plugbay.artifacts import ArtifactStore, Declaration, Subject, layers_by_kind
from plugbay.storage import Database

if TYPE_CHECKING:
    from plugbay.artifacts import Layer, TrialReport
    from plugbay.sdk import Manifest

TARGET_MS = 200.0
MANIFEST = """\
id = "bench"
version = "1.0.0"
api = 1
runtime = "goso"
provides = ["request-filter"]
"""
IMPORTS = ("crypto/tls", "encoding/gob", "go/types", "html/template", "net/http", "net/rpc")


async def never(payload: Path, manifest: Manifest, /) -> TrialReport:
    """Stand for the trial, which is not measured here."""
    raise NotImplementedError


def sources() -> list[Path]:
    """Return the plugins, the smallest first."""
    small = go_binaries.PLUGIN
    lines = "".join(f'import _ "{name}"\n' for name in IMPORTS)
    large = small.replace("package main\n", f"package main\n\n{lines}", 1)
    filled = large.replace("package main\n", 'package main\n\nimport _ "embed"\n', 1)
    filled = filled.replace("func main() {}", FILLED)
    padding = "x" * (1 << 20)
    files = {"go.mod": go_binaries.MODULE, "main.go": filled, "padding.txt": padding * 28}
    return [
        go_binaries.plugin("small.so", small, "-ldflags=-s -w"),
        go_binaries.plugin("large.so", large),
        go_binaries.build("filled.so", files, "-buildmode=plugin", "-trimpath"),
    ]


FILLED = """\
//go:embed padding.txt
var padding string

func Padding() int { return len(padding) }

func main() {}
"""


async def measure(layers: tuple[Layer, ...], path: Path, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each layer, and of all together."""
    times: dict[str, list[float]] = {layer.name: [] for layer in layers}
    times["all"] = []
    for _ in range(rounds):
        subject = Subject(
            digest="",
            path=path,
            filename=path.name,
            kind="shared-object",
            declaration=Declaration(MANIFEST),
        )
        begin = last = time.perf_counter()
        for layer in layers:
            problems = await layer.inspect(subject)
            assert not problems, problems
            now = time.perf_counter()
            times[layer.name].append((now - last) * 1000)
            last = now
        times["all"].append((last - begin) * 1000)
    return {name: round(statistics.median(found), 2) for name, found in times.items()}


def main() -> int:
    """Print a line for each size; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="plugbay-layers-") as scratch:
        database = Database.open(Path(scratch) / "plugbay.sqlite3")
        store = ArtifactStore(Path(scratch), database)
        trials = {"wheel": never, "shared-object": never}
        layers = layers_by_kind(store, trials)["shared-object"][:-1]  # type: ignore[arg-type]  # a dict of fewer keys
        for path in sources():
            found = asyncio.run(measure(layers, path, options.rounds))
            size = path.stat().st_size / 1e6
            told = "  ".join(f"{name} {ms:.2f}" for name, ms in found.items())
            print(f"{size:6.1f} MB  {told}  ms")
            rows.append({"mb": round(size, 1), **found})
        database.close()
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    slowest = max(float(str(row["all"])) for row in rows)
    return int(slowest > TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
