"""Judging an artifact: the trial that the layers end with, and a check without a gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.app._clock import SystemClock
from plugbay.app._environments import make_environments
from plugbay.app._runners import make_runners
from plugbay.artifacts import ArtifactStore, Declaration, Uploader, Validator, layers_by_kind
from plugbay.artifacts.signing import require_sigstore
from plugbay.isolation import (
    NOTES,
    REMEDIES,
    ProcessPolicy,
    may_change_user,
    probe,
    refusal,
)
from plugbay.kernel import Unavailable
from plugbay.observability import require_otel
from plugbay.runtimes import TrialLimits, run_trial
from plugbay.runtimes.goso import run_goso_trial
from plugbay.runtimes.process import describe_program, try_process
from plugbay.settings import EnvironmentSettings, UploadSettings
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from plugbay.artifacts import Kind, Layer, Trial, TrialReport
    from plugbay.artifacts.environments import Environments
    from plugbay.runtimes.goso import Runners
    from plugbay.sdk import Manifest
    from plugbay.settings import Settings

CHUNK = 1 << 18


def check_extras(settings: Settings) -> None:
    """See that what the settings ask for is installed. Raises `ExtraMissing`."""
    if settings.tracing.endpoint:
        require_otel()
    if settings.signing.sigstore_root:
        require_sigstore()


def check_isolation(policy: ProcessPolicy) -> tuple[str, ...]:
    """Return what this host does not allow of what keeps plugins' processes apart.

    Raises `Unavailable` if the settings insist on that, and `Invalid` if they name a user that
    there is not.
    """
    report = probe(policy.isolation, policy.user if may_change_user() else "")
    if report.refused:
        raise Unavailable(refusal(report))
    if report.error:
        raise Unavailable(f"plugins cannot be run as processes: {report.error}")
    return tuple(f"{NOTES[code]}; remedy: {REMEDIES[code]}" for code in report.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The trial of each kind of artifact, within the operator's limits and rules.

    The gateway's directory `data` is hidden from what is tried.
    """

    uploads: UploadSettings
    runners: Runners
    policy: ProcessPolicy = field(default_factory=ProcessPolicy)
    data: Path | None = None
    environments: Environments | None = None

    @property
    def limits(self) -> TrialLimits:
        """What a trial may use."""
        uploads = self.uploads
        return TrialLimits(seconds=uploads.trial_seconds, memory_mb=uploads.trial_memory_mb)

    def by_kind(self) -> dict[Kind, Trial]:
        """Return those of all kinds that can be run here."""
        return {
            "wheel": self.wheel,
            "executable": self.executable,
            "shared-object": self.shared_object,
        }

    async def wheel(self, payload: Path, manifest: Manifest, /) -> TrialReport:
        """Try a wheel where it says that it runs: in process, or in its environment."""
        if manifest.runtime == "process" and self.environments is not None:
            environment = await asyncio.to_thread(self.environments.of, payload)
            return await self._apart(payload, manifest, environment)
        return await run_trial(
            payload, manifest, limits=self.limits, policy=self.policy, data=self.data
        )

    async def executable(self, payload: Path, manifest: Manifest, /) -> TrialReport:
        """Try a program."""
        return await self._apart(payload, manifest, None)

    async def _apart(
        self, payload: Path, manifest: Manifest, environment: Path | None
    ) -> TrialReport:
        return await try_process(
            payload,
            manifest,
            limits=self.limits,
            config=manifest.config,
            policy=self.policy,
            data=self.data,
            environment=environment,
        )

    async def shared_object(self, payload: Path, manifest: Manifest, /) -> TrialReport:
        """Try a Go plugin in a runner."""
        return await run_goso_trial(
            payload,
            manifest,
            self.runners,
            limits=self.limits,
            config=manifest.config,
            policy=self.policy,
            data=self.data,
        )

    async def describe(self, payload: Path, /) -> Manifest:
        """Ask a program what it is."""
        return await describe_program(payload, policy=self.policy, data=self.data)


def make_layers(
    store: ArtifactStore, trials: Trials, signature: Layer | None = None
) -> Mapping[Kind, Sequence[Layer]]:
    """Return the validation layers of each kind, as the settings want them."""
    settings = trials.uploads
    return layers_by_kind(
        store,
        trials.by_kind(),
        max_bytes=settings.max_bytes,
        describe=trials.describe,
        go_versions=(lambda: settings.go_versions) if settings.go_versions else None,
        signature=signature,
        environments=trials.environments,
    )


async def check_artifact(
    file: Path, scratch: Path, manifest: bytes | None = None
) -> dict[str, Any]:
    """Run every layer over an artifact and return the record as plain values.

    It is what an upload does, in a store of its own below `scratch`; `manifest` is the
    plugbay.toml of a binary, or the runtime that is chosen for a wheel.
    """
    data = scratch / "store"
    data.mkdir(mode=0o700)
    clock = SystemClock()
    database = Database.open(data / "plugbay.sqlite3")
    try:
        store = ArtifactStore(data, database)
        trials = Trials(
            uploads=UploadSettings(),
            runners=make_runners(),
            data=data,
            environments=make_environments(data, EnvironmentSettings()),
        )
        validator = Validator(store, make_layers(store, trials), clock)
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
