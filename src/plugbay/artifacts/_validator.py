"""Runs the layers over an uploaded artifact and settles its state."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from plugbay.artifacts._artifact import Artifact, LayerReport
from plugbay.artifacts._catalog import version_conflict
from plugbay.artifacts._declaration import Declaration
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._layer import Subject
from plugbay.artifacts._report import fatal, lifted
from plugbay.artifacts._threads import in_thread
from plugbay.kernel import ARTIFACT_TRANSITIONS, ArtifactState, Conflict, Invalid, move

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugbay.artifacts._kind import Kind
    from plugbay.artifacts._layer import Layer
    from plugbay.artifacts._store import ArtifactStore
    from plugbay.kernel import Clock

    Layers = Sequence[Layer] | Mapping[Kind, Sequence[Layer]]

_CONFIGURED = ("environment", "trial")
"""The layers that look at a configuration, or make what a plugin is tried in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEvent:
    """Progress: layer `index` of `total` begins, or has ended with its report."""

    digest: str
    layer: str
    index: int
    total: int
    status: Literal["started", "passed", "failed", "skipped"]
    report: LayerReport | None = None


class Validator:
    """Validates artifacts, at most `concurrent` at a time; the others wait.

    `layers` are those of each kind of artifact, or the same for all.
    """

    def __init__(
        self, store: ArtifactStore, layers: Layers, clock: Clock, *, concurrent: int = 2
    ) -> None:
        self._store, self._layers, self._clock = store, layers, clock
        self._room = asyncio.Semaphore(concurrent)

    async def validate(
        self, digest: str, on_event: Callable[[LayerEvent], None] | None = None
    ) -> Artifact:
        """Run the layers and return the record, `validated` or `rejected` with all findings.

        An artifact that is already settled is returned as it is. Layers behind one that
        failed do not run, but for eager ones. Raises `NotFound`; `Conflict` if its version is
        already another artifact (then it is rejected); and what a layer raises, which is not
        the artifact's fault: it stays `uploaded` and can be validated again.
        """
        async with self._room, self._store.lock(digest):
            artifact = self._store.get(digest)
            if artifact.state is not ArtifactState.UPLOADED:
                return artifact
            return await self._run(artifact, on_event or _ignore)

    async def try_with(self, digest: str, config: dict[str, Any]) -> None:
        """Try a validated artifact with a configuration; it stays as it is, whatever is found.

        Raises `Invalid` with all findings, `NotFound`, and what a layer raises.
        """
        async with self._room, self._store.lock(digest):
            artifact = self._store.get(digest)
            subject = self._subject(artifact)
            subject.manifest, subject.metadata = artifact.manifest, artifact.metadata
            subject.declaration = Declaration.of(subject.declared(), config)
            for layer in self._layers_of(artifact):
                if layer.name in _CONFIGURED:
                    findings = (await self._inspect(layer, subject)).findings
                    if fatal(findings):
                        name = f"{artifact.plugin} {artifact.version}"
                        text = f"{name} is here already, but does not run with this configuration"
                        raise Invalid(text, problems=findings)

    async def recover(self) -> list[Artifact]:
        """Validate what a crash left in `uploaded`; remove the records whose bytes are gone."""
        settled: list[Artifact] = []
        for artifact in self._store.list(state=ArtifactState.UPLOADED):
            if not await in_thread(self._store.blobs.sound, artifact.digest):
                await self._store.delete(artifact.digest)
                continue
            try:
                settled.append(await self.validate(artifact.digest))
            except Conflict:
                settled.append(self._store.get(artifact.digest))
        return settled

    async def _run(self, artifact: Artifact, tell: Callable[[LayerEvent], None]) -> Artifact:
        subject, layers = self._subject(artifact), self._layers_of(artifact)
        reports: list[LayerReport] = []
        taken: Conflict | None = None
        for index, layer in enumerate(layers):
            event = LayerEvent(
                digest=artifact.digest,
                layer=layer.name,
                index=index,
                total=len(layers),
                status="started",
            )
            if not layer.eager and any(report.result == "failed" for report in reports):
                report = LayerReport(layer.name, "skipped")
            else:
                tell(event)
                report = await self._inspect(layer, subject)
                if taken is None and (taken := self._taken(subject)) is not None:
                    report = _failed(report, taken)
            reports.append(report)
            tell(replace(event, status=report.result, report=report))
        return await self._settle(_learned(artifact, subject, reports), taken)

    def _subject(self, artifact: Artifact) -> Subject:
        return Subject(
            digest=artifact.digest,
            path=self._store.blobs.path(artifact.digest),
            filename=artifact.filename,
            kind=artifact.kind,
            declaration=artifact.declaration,
            by=artifact.uploaded_by,
            signature=artifact.signature,
        )

    def _layers_of(self, artifact: Artifact) -> Sequence[Layer]:
        return self._layers if isinstance(self._layers, Sequence) else self._layers[artifact.kind]

    async def _inspect(self, layer: Layer, subject: Subject) -> LayerReport:
        begin = self._clock.monotonic()
        problems = await layer.inspect(subject)
        ms = round((self._clock.monotonic() - begin) * 1000, 3)
        if problems is None:
            return LayerReport(layer.name, "skipped", ms)
        findings = lifted(problems)
        return LayerReport(layer.name, "failed" if fatal(findings) else "passed", ms, findings)

    def _taken(self, subject: Subject) -> Conflict | None:
        """Say so early, before the trial, that the version is another artifact's."""
        if subject.manifest is None:
            return None
        plugin, version = subject.manifest.id, subject.manifest.version
        other = self._store.catalog.claimed(plugin, version)
        return None if other is None else version_conflict(plugin, version, other.digest)

    async def _settle(self, artifact: Artifact, taken: Conflict | None) -> Artifact:
        if any(report.result == "failed" for report in artifact.layers):
            rejected = await self._store.reject(artifact)
            if taken is not None:
                raise taken
            return rejected
        old, new = artifact.state, ArtifactState.VALIDATED
        passed = replace(artifact, state=move(artifact.digest, ARTIFACT_TRANSITIONS, old, new))
        try:
            await self._store.keep(passed)
            return await self._store.put(passed)
        except Conflict as error:  # the other one was quicker
            await self._store.unkeep(passed)
            layers = (*artifact.layers[:-1], _failed(artifact.layers[-1], error))
            await self._store.reject(replace(artifact, layers=layers))
            raise


def _failed(report: LayerReport, conflict: Conflict) -> LayerReport:
    finding = Finding(
        "/version", conflict.detail, expected="a new version", remedy="raise the version"
    )
    return replace(report, result="failed", findings=(*report.findings, finding))


def _learned(artifact: Artifact, subject: Subject, reports: list[LayerReport]) -> Artifact:
    manifest = subject.manifest
    schema = subject.config_schema
    return replace(
        artifact,
        plugin=manifest.id if manifest else "",
        version=manifest.version if manifest else "",
        manifest=manifest,
        metadata=subject.metadata,
        go=subject.go,
        provenance=subject.provenance,
        config_schema=None if schema is None else dict(schema),
        hooks=subject.hooks,
        timings=dict(subject.timings),
        layers=tuple(reports),
    )


def _ignore(event: LayerEvent) -> None:
    """Nobody wants to know."""
