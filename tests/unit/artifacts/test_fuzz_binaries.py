"""Whatever is done to a binary, its layers say what is wrong, and nothing is left behind.

Together with the wheels of `test_fuzz` it is a thousand artifacts.
"""

from __future__ import annotations

import asyncio
import random
import struct
from typing import TYPE_CHECKING

from plugbay.artifacts import Finding, layers_by_kind
from plugbay.artifacts._layer import Subject
from plugbay.artifacts._native._elf import read_elf
from plugbay.kernel import ArtifactState

from .binaries import GOSO, PROCESS, Binaries, edited
from .conftest import Bench, passing_binary, passing_trial

if TYPE_CHECKING:
    from plugbay.artifacts import Layer

SEED = 20261121
NUMBERS = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, (1 << 64) - 1)


def places(data: bytes) -> list[tuple[int, int]]:
    """Where the structure is: headers, tables of headers, and what the layers read."""
    elf = read_elf(data)
    named = (".go.buildinfo", ".dynsym", ".dynstr", ".shstrtab", ".dynamic", ".interp")
    found = [elf.section(name) for name in named]
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return [(0, 64), (64, 56 * 10), (start, size * count)] + [
        (section.offset, min(section.stored, 4096)) for section in found if section is not None
    ]


def damage(data: bytes, where: list[tuple[int, int]], dice: random.Random) -> dict[int, bytes]:
    """Choose a few bytes to be replaced, mostly where they mean something."""
    edits: dict[int, bytes] = {}
    for _ in range(dice.randint(1, 4)):
        start, size = dice.choice([*where, (0, len(data))])
        at = start + dice.randrange(max(1, size))
        width = dice.choice((1, 2, 4, 8))
        number = dice.choice((*NUMBERS, dice.getrandbits(64)))
        edits[at] = struct.pack("<Q", number)[:width]
    return {at: piece for at, piece in edits.items() if at + len(piece) <= len(data)}


async def look(layers: tuple[Layer, ...], subject: Subject) -> list[str]:
    """Run the layers as the validator does; return the names of those that have refused."""
    failed: list[str] = []
    for layer in layers:
        findings = await layer.inspect(subject)
        for finding in findings or ():
            assert finding.detail
            if not isinstance(finding, Finding) or finding.severity == "error":
                failed.append(layer.name)
    return failed


def test_damaged_structures(bench: Bench, binaries: Binaries) -> None:
    dice = random.Random(SEED)  # noqa: S311 - repeatable
    trials = {"wheel": passing_trial, "shared-object": passing_binary, "executable": passing_binary}
    layers = layers_by_kind(bench.store, trials)  # type: ignore[arg-type]
    refused: dict[str, int] = {}
    for source, kind, declaration in (
        (binaries.plugin, "shared-object", GOSO),
        (binaries.program, "executable", PROCESS),
    ):
        data = source.read_bytes()
        where = places(data)
        path = bench.data / f"x{source.suffix}"
        path.write_bytes(data)
        for _ in range(250):
            edits = damage(data, where, dice)
            with path.open("r+b") as file:
                for at, piece in edits.items():
                    file.seek(at)
                    file.write(piece)
                file.flush()
                subject = Subject(
                    digest="", path=path, filename=path.name, kind=kind, declaration=declaration
                )
                for name in asyncio.run(look(layers[kind][:6], subject)):
                    refused[name] = refused.get(name, 0) + 1
                for at, piece in edits.items():
                    file.seek(at)
                    file.write(data[at : at + len(piece)])
    assert {"elf", "go", "symbols"} <= refused.keys()  # the fuzz reaches every layer that reads


def test_damaged_uploads(bench: Bench, binaries: Binaries) -> None:
    dice = random.Random(SEED)  # noqa: S311 - repeatable
    data = binaries.program.read_bytes()
    where = places(data)
    states: list[ArtifactState] = []
    for _ in range(150):
        broken = edited(data, damage(data, where, dice))
        if dice.random() < 0.3:
            broken = broken[: dice.randrange(1, len(broken))]
        artifact = asyncio.run(bench.judge(broken, "program", PROCESS))
        states.append(artifact.state)
        if artifact.state is ArtifactState.VALIDATED:  # so that the next may be this version
            asyncio.run(bench.store.delete(artifact.digest))
    assert set(states) == {ArtifactState.VALIDATED, ArtifactState.REJECTED}
    assert states.count(ArtifactState.REJECTED) > 50
    assert bench.leftovers() == []
