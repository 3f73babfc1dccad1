"""Go programs for tests and benchmarks: built once for each state of their sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build/go"
SDK = ROOT / "go/sdk"


def build_go(module: Path, *, version: str = "", flags: tuple[str, ...] = ()) -> Path:
    """Build the program of a module and return it; `version` is set as `main.Version`.

    The Go of the development environment builds it, with the versions that go.mod names.
    """
    linker = "-s -w" + (f" -X main.Version={version}" if version else "")
    arguments = ["build", "-trimpath", "-ldflags", linker, *flags]
    key = hashlib.sha256(repr((arguments, *_sources(SDK), *_sources(module))).encode())
    program = CACHE / f"{module.name}-{key.hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{module.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
        if not program.exists():
            _build(module, arguments, program)
    return program


def _build(module: Path, arguments: list[str], program: Path) -> None:
    go = Path(sys.executable).parent / "go"
    surroundings = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    fresh = program.with_suffix(".new")
    done = subprocess.run(
        [go, *arguments, "-o", fresh, "."],
        cwd=module,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"go build of {module} failed:\n{done.stderr}")
    fresh.rename(program)


def _sources(module: Path) -> list[tuple[str, str]]:
    files = sorted(path for kind in ("*.go", "go.*") for path in module.rglob(kind))
    return [
        (str(path.relative_to(module)), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    ]


if __name__ == "__main__":
    for folder in ("go/examples", "tests/servers"):
        for found in sorted((ROOT / folder).glob("*/go.mod")):
            print(build_go(found.parent))
