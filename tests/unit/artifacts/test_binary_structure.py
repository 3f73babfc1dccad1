"""Files that are cut off, empty, too large, or made for another machine."""

from __future__ import annotations

import asyncio
import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugbay.app._clock import SystemClock
from plugbay.artifacts import Uploader
from plugbay.artifacts._binary._size import Size
from plugbay.artifacts._binary._structure import Structure
from plugbay.artifacts._layer import Subject
from plugbay.kernel import ArtifactState, TooLarge

from .binaries import GOSO, PROCESS, Binaries, edited
from .judged import found, judge, results

if TYPE_CHECKING:
    from .conftest import Bench


def test_another_architecture(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.arm.read_bytes(), "arm", PROCESS)

    assert found(artifact, "elf").found == "aarch64"
    finding = found(artifact, "go")
    assert (finding.expected, finding.found) == ("GOARCH=amd64", "GOARCH=arm64")
    assert finding.remedy == (
        "build it by: GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -o arm ."
    )


@pytest.mark.parametrize("size", [1, 3, 4, 5, 16, 63, 64, 100, 1000, 4096, -65536, -4096, -64, -1])
def test_cut_off_anywhere(bench: Bench, binaries: Binaries, size: int) -> None:
    for data, name, declaration in (
        (binaries.plugin.read_bytes(), "good.so", GOSO),
        (binaries.program.read_bytes(), "program", PROCESS),
    ):
        artifact = judge(bench, data[:size], name, declaration)
        finding = found(artifact, "elf")
        assert artifact.state is ArtifactState.REJECTED
        assert finding.expected
        assert finding.found
        assert results(artifact)["trial"] == "skipped"


def test_cut_off_at_a_hundred_offsets(bench: Bench, binaries: Binaries, tmp_path: Path) -> None:
    """Wherever a file ends too early, the structure says so: its tables are at its end."""
    dice = random.Random(17)  # noqa: S311 - repeatable
    data = binaries.plugin.read_bytes()
    path = tmp_path / "cut.so"
    for _ in range(100):
        path.write_bytes(data[: dice.randrange(1, len(data))])
        subject = Subject(digest="", path=path, filename="cut.so", kind="shared-object")
        assert asyncio.run(Structure().inspect(subject))
        assert subject.elf is None


def test_no_elf_at_all(bench: Bench) -> None:
    finding = found(judge(bench, b"#!/bin/sh\nexit 0\n" * 99, "script.so", GOSO), "elf")
    assert finding.detail == "this is no ELF file"
    assert finding.found == "23 21 2f 62"


def test_sizes(bench: Bench, binaries: Binaries, tmp_path: Path) -> None:
    empty = tmp_path / "empty.so"
    empty.touch()
    subject = Subject(digest="", path=empty, filename="empty.so", kind="shared-object")
    (problem,) = asyncio.run(Size().inspect(subject))
    assert (problem.detail, problem.found) == ("the file is empty", "0 bytes")
    (nothing,) = asyncio.run(Structure().inspect(subject)) or ()
    assert nothing.detail == "the file is empty"

    large = tmp_path / "large.so"
    with large.open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)
    subject = Subject(digest="", path=large, filename="large.so", kind="shared-object")
    (problem,) = asyncio.run(Size().inspect(subject))
    assert problem.found == f"{50 * 1024 * 1024 + 1} bytes"
    assert asyncio.run(Size(50 * 1024 * 1024 + 1).inspect(subject)) == []


def test_fifty_megabytes_and_one_are_not_taken(bench: Bench) -> None:
    async def flood() -> None:
        uploader = Uploader(bench.store, SystemClock())
        piece = bytes(1 << 20)

        async def chunks():  # type: ignore[no-untyped-def]
            for _ in range(50):
                yield piece
            yield b"x"

        await uploader.receive(chunks(), filename="large.so", by="tests")

    with pytest.raises(TooLarge):
        asyncio.run(flood())
    assert bench.leftovers() == []


def test_a_loader_that_is_not_here(bench: Bench) -> None:
    data = Path(sys.executable).resolve().read_bytes()
    at = data.index(b"/lib64/ld-linux") if b"/lib64/ld-linux" in data else data.index(b"/lib/ld")
    artifact = judge(bench, edited(data, {at: b"/nowhere"}), "python", PROCESS)
    assert found(artifact, "elf").found.startswith("/nowhere")


def test_object_files_and_32_bit_and_big_endian(bench: Bench, binaries: Binaries) -> None:
    data = binaries.program.read_bytes()
    for edits, said in (
        ({16: struct.pack("<H", 1)}, "an object file"),
        ({16: struct.pack("<H", 4)}, "a core"),
        ({16: struct.pack("<H", 99)}, "type 99"),
        ({4: b"\1"}, "32-bit"),
        ({4: b"\7"}, "class 7"),
        ({5: b"\2"}, "big-endian"),
        ({5: b"\0"}, "encoding 0"),
        ({6: b"\7"}, "7 and 1"),
        ({18: struct.pack("<H", 40)}, "arm"),
        ({18: struct.pack("<H", 65000)}, "machine 65000"),
        ({54: struct.pack("<H", 55)}, "55 bytes"),
        ({56: struct.pack("<H", 60000)}, "60000"),
        ({56: struct.pack("<H", 0)}, ""),
        ({58: struct.pack("<H", 63)}, "63 bytes"),
        ({60: struct.pack("<H", 60000)}, "60000"),
        ({62: struct.pack("<H", 9999)}, "9999"),
    ):
        artifact = judge(bench, edited(data, edits), "program", PROCESS)
        assert artifact.state is ArtifactState.REJECTED
        assert found(artifact, "elf").found == said
