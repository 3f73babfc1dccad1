"""A store on real files and real SQLite, and the shortest way to put a wheel into it."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.app._clock import SystemClock
from plugbay.artifacts import (
    Artifact,
    ArtifactStore,
    Form,
    Layer,
    ManifestLayer,
    Platform,
    Uploader,
    Validator,
    layers_by_kind,
)
from plugbay.storage import Database

from .binaries import Binaries, make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from plugbay.artifacts import Declaration, Kind, Trial
    from plugbay.kernel import Problem
    from plugbay.sdk import Manifest


@dataclass(frozen=True)
class PassedTrial:
    """The report of a trial that found nothing; the real trial has its own tests."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    config_schema: dict[str, Any] | None = field(default_factory=lambda: {"type": "object"})
    hooks: tuple[str, ...] = ("on_request",)
    timings: dict[str, float] = field(default_factory=lambda: {"load": 0.01})


async def passing_trial(payload: Path, manifest: Manifest) -> PassedTrial:
    assert (payload / manifest.entry.split(":")[0] / "__init__.py").is_file()
    return PassedTrial()


async def passing_binary(payload: Path, manifest: Manifest) -> PassedTrial:
    seen = os.stat(payload)
    assert stat.S_IMODE(seen.st_mode) == 0o555
    return PassedTrial(timings={"load": 0.01, "size": seen.st_size})


async def chunked(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


class Bench:
    """A store, an uploader and a validator over one data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        self.db = Database.open(data / "plugbay.sqlite3")
        self.store = ArtifactStore(data, self.db)
        self.uploader = Uploader(self.store, SystemClock())

    def validator(self, *layers: Layer) -> Validator:
        return Validator(self.store, layers or self.layers(), SystemClock())

    def layers(self) -> tuple[Layer, ...]:
        return Form(), ManifestLayer(), Platform()

    async def upload(self, wheel: Path, filename: str | None = None) -> Artifact:
        data = await asyncio.to_thread(wheel.read_bytes)
        upload = await self.uploader.receive(
            chunked(data), filename=filename or wheel.name, by="tests"
        )
        return upload.artifact

    async def push(self, wheel: Path, *layers: Layer, filename: str | None = None) -> Artifact:
        artifact = await self.upload(wheel, filename)
        return await self.validator(*layers).validate(artifact.digest)

    def check(self, wheel: Path, *layers: Layer, filename: str | None = None) -> Artifact:
        return asyncio.run(self.push(wheel, *layers, filename=filename))

    async def judge(
        self,
        data: bytes,
        filename: str,
        declaration: Declaration | None = None,
        trials: Mapping[Kind, Trial] | None = None,
    ) -> Artifact:
        """Upload bytes of any kind and run the layers of their kind."""
        upload = await self.uploader.receive(
            chunked(data), filename=filename, by="tests", declaration=lambda kind: declaration
        )
        given: Mapping[Kind, Trial] = {
            "wheel": passing_trial,
            "executable": passing_binary,
            "shared-object": passing_binary,
        }
        layers = layers_by_kind(self.store, given if trials is None else trials)
        return await Validator(self.store, layers, SystemClock()).validate(upload.artifact.digest)

    def leftovers(self) -> list[str]:
        """Every blob, temporary and unpacked file."""
        return sorted(
            str(path.relative_to(self.data))
            for folder in ("blobs", "tmp", "unpacked")
            for path in (self.data / folder).rglob("*")
            if path.is_file()
        )


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return make()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "data")
    yield bench
    bench.db.close()
