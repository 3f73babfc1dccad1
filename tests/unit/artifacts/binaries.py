"""Real binaries, and copies of them with one thing changed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests import go_binaries

from plugbay.artifacts import Declaration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ARM = 183
WORKS = go_binaries.PLUGIN


def manifest(runtime: str, **said: str) -> Declaration:
    """A `plugbay.toml` for a binary; `said` replaces or adds lines."""
    lines = {
        "id": '"sample"',
        "version": '"1.0.0"',
        "api": "1",
        "runtime": f'"{runtime}"',
        "provides": '["request-filter"]',
        **said,
    }
    return Declaration("\n".join(f"{key} = {value}" for key, value in lines.items() if value))


GOSO, PROCESS = manifest("goso"), manifest("process")


@dataclass(frozen=True)
class Binaries:
    """What the tests share."""

    plugin: Path
    program: Path
    arm: Path
    single: Path
    library: Path
    bare: Path


def make() -> Binaries:
    """Build everything, or find it built."""
    bare = WORKS.replace("func New(", "func Make(")
    return Binaries(
        plugin=go_binaries.plugin(),
        program=go_binaries.program(),
        arm=go_binaries.program("arm", GOOS="linux", GOARCH="arm64"),
        single=go_binaries.build(
            "single.so", {"main.go": WORKS}, "-buildmode=plugin", "-trimpath", "main.go"
        ),
        library=go_binaries.build(
            "library.so",
            {"go.mod": go_binaries.MODULE, "main.go": f"{go_binaries.LIBRARY}func main() {{}}\n"},
            "-buildmode=c-shared",
            "-trimpath",
        ),
        bare=go_binaries.plugin("bare.so", bare),
    )


def edited(data: bytes, edits: Mapping[int, bytes]) -> bytes:
    """Return `data` with bytes replaced at offsets."""
    out = bytearray(data)
    for at, piece in edits.items():
        out[at : at + len(piece)] = piece
    return bytes(out)


def for_machine(data: bytes, machine: int) -> bytes:
    """Return a copy that says it is for another machine."""
    return edited(data, {18: struct.pack("<H", machine)})


def of_version(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a copy whose build information names another version of Go, of the same length."""
    assert len(old) == len(new)
    start = data.index(b"\xff Go buildinf:")
    at = data.index(old, start)
    return edited(data, {at: new})
