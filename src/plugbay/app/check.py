"""Judging an artifact: the trial that the layers end with, and a check without a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.app._clock import SystemClock
from plugbay.app._runners import make_runners
from plugbay.artifacts import ArtifactStore, Declaration, Uploader, Validator, layers_by_kind
from plugbay.observability import require_otel
from plugbay.runtimes import TrialLimits, run_trial
from plugbay.runtimes.goso import run_goso_trial
from plugbay.runtimes.process import describe_program, try_process
from plugbay.settings import UploadSettings
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from plugbay.artifacts import Kind, Layer, Trial, TrialReport
    from plugbay.runtimes.goso import Runners
    from plugbay.sdk import Manifest
    from plugbay.settings import Settings

CHUNK = 1 << 18


def check_extras(settings: Settings) -> None:
    """See that what the settings ask for is installed. Raises `ExtraMissing`."""
    if settings.tracing.endpoint:
        require_otel()


def make_trial(settings: UploadSettings) -> Trial:
    """Return the trial of the runtime `python`, within the operator's limits."""
    limits = TrialLimits(seconds=settings.trial_seconds, memory_mb=settings.trial_memory_mb)

    async def trial(payload: Path, manifest: Manifest, /) -> TrialReport:
        return await run_trial(payload, manifest, limits=limits)

    return trial


def make_goso_trial(settings: UploadSettings, runners: Runners) -> Trial:
    """Return the trial of the runtime `goso`, within the operator's limits."""
    limits = TrialLimits(seconds=settings.trial_seconds, memory_mb=settings.trial_memory_mb)

    async def trial(payload: Path, manifest: Manifest, /) -> TrialReport:
        return await run_goso_trial(payload, manifest, runners, limits=limits)

    return trial


def make_process_trial(settings: UploadSettings) -> Trial:
    """Return the trial of the runtime `process`, within the operator's limits."""
    limits = TrialLimits(seconds=settings.trial_seconds, memory_mb=settings.trial_memory_mb)

    async def trial(payload: Path, manifest: Manifest, /) -> TrialReport:
        return await try_process(payload, manifest, limits=limits)

    return trial


def make_trials(settings: UploadSettings, runners: Runners) -> dict[Kind, Trial]:
    """Return the trial of each kind of artifact that can be run here."""
    return {
        "wheel": make_trial(settings),
        "executable": make_process_trial(settings),
        "shared-object": make_goso_trial(settings, runners),
    }


def make_layers(
    store: ArtifactStore,
    settings: UploadSettings,
    runners: Runners,
    signature: Layer | None = None,
) -> Mapping[Kind, Sequence[Layer]]:
    """Return the validation layers of each kind, as the settings want them."""
    trials = make_trials(settings, runners)
    return layers_by_kind(
        store,
        trials,
        max_bytes=settings.max_bytes,
        describe=describe_program,
        go_versions=(lambda: settings.go_versions) if settings.go_versions else None,
        signature=signature,
    )


async def check_artifact(
    file: Path, scratch: Path, manifest: bytes | None = None
) -> dict[str, Any]:
    """Run every layer over an artifact and return the record as plain values.

    It is what an upload does, in a store of its own below `scratch`; `manifest` is the
    plugbay.toml of a binary.
    """
    data = scratch / "store"
    data.mkdir(mode=0o700)
    clock = SystemClock()
    database = Database.open(data / "plugbay.sqlite3")
    try:
        store = ArtifactStore(data, database)
        validator = Validator(store, make_layers(store, UploadSettings(), make_runners()), clock)
        uploader = Uploader(store, clock)
        upload = await uploader.receive(
            _chunks(file),
            filename=file.name,
            by="check",
            declaration=lambda kind: None if manifest is None else Declaration.read(manifest),
        )
        artifact = await validator.validate(upload.artifact.digest)
        plain: dict[str, Any] = msgspec.to_builtins(artifact)
        return plain
    finally:
        database.close()


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data
