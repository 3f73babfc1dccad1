"""Whatever arrives, it is validated or rejected: no other end, and nothing left behind."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from plugbay.artifacts._source import check_sources
from plugbay.kernel import ArtifactState, Conflict

from .wheels import SOURCE, make_wheel, wheel_bytes, wheel_files

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench

SEED = 20250705
NAME = "plugbay_hello-1.0.0-py3-none-any.whl"


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Flip, cut, double and insert a few pieces."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out) + 1)
        length = dice.randint(1, 40)
        match dice.randrange(5):
            case 0:
                out[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del out[at : at + length]
            case 2:
                out[at:at] = out[at : at + length]
            case 3:
                out[at:at] = dice.randbytes(length)
            case _:
                out[at : at + 4] = dice.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"PK\1\2"])
    return bytes(out)


def judge(bench: Bench, wheel: Path) -> ArtifactState:
    try:
        return bench.check(wheel, filename=NAME).state
    except Conflict:
        return ArtifactState.REJECTED


def kept(bench: Bench) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in bench.leftovers()]


def test_mutated_archives(bench: Bench, tmp_path: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311 - repeatable
    data = wheel_bytes()
    states: list[ArtifactState] = []
    for _ in range(200):
        path = tmp_path / NAME
        path.write_bytes(mutated(data, dice) or b"x")
        states.append(judge(bench, path))
    assert set(states) <= {ArtifactState.VALIDATED, ArtifactState.REJECTED}
    assert states.count(ArtifactState.REJECTED) > 150
    valid = bench.store.list(state=ArtifactState.VALIDATED)
    assert kept(bench) == sorted(artifact.digest for artifact in valid)


def test_mutated_files_in_sound_archives(bench: Bench, tmp_path: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311 - repeatable
    names = list(wheel_files())
    for _ in range(150):
        name = dice.choice(names)
        content = mutated(wheel_files()[name], dice)
        wheel = make_wheel(tmp_path, files={name: content})
        assert judge(bench, wheel) in (ArtifactState.VALIDATED, ArtifactState.REJECTED)
        for artifact in bench.store.list(state=ArtifactState.VALIDATED):
            asyncio.run(bench.store.delete(artifact.digest))
    assert kept(bench) == []
    layers = {
        next(report.name for report in artifact.layers if report.result == "failed")
        for artifact in bench.store.list()
    }
    assert {"form", "manifest"} <= layers  # the fuzz reaches more than one layer


def test_mutated_sources() -> None:
    dice = random.Random(SEED)  # noqa: S311 - repeatable
    errors = 0
    for _ in range(300):
        source = mutated(SOURCE.encode(), dice)
        errors += bool(check_sources({"p/__init__.py": source}, "p:Hello", ("request-filter",)))
    assert 50 < errors < 300
