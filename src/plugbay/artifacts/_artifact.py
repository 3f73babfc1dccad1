"""What is known about an artifact, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# Not only for type checkers: msgspec resolves these annotations when it reads a record.
from plugbay.artifacts._declaration import Declaration  # noqa: TC001 - see above
from plugbay.artifacts._finding import Finding  # noqa: TC001 - see above
from plugbay.artifacts._go_build import GoBuild  # noqa: TC001 - see above
from plugbay.artifacts._kind import Kind  # noqa: TC001 - see above
from plugbay.artifacts.signing import Provenance  # noqa: TC001 - see above
from plugbay.kernel import ArtifactState
from plugbay.sdk import Manifest  # noqa: TC001 - see above

Result = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What one layer said and how long it took; `skipped` because an earlier one failed."""

    name: str
    result: Result
    ms: float = 0.0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelMetadata:
    """What the wheel says of itself: METADATA and WHEEL (core metadata, PEP 427)."""

    name: str
    version: str
    summary: str = ""
    author: str = ""
    license: str = ""
    requires_python: str = ""
    requires_dist: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pure: bool = True
    generator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The record of one artifact.

    `kind` is told by the content. `declaration` is the manifest that came with the upload, for
    those kinds whose bytes carry none. `digest` is the SHA-256 in hex; `uploaded_at` is in
    seconds since the Unix epoch. `plugin`,
    `version`, `manifest` and `metadata` are known once the layers that read them have passed;
    `config_schema` (JSON Schema 2020-12), `hooks` and `timings` (seconds) come from the trial.
    `go` is how Go built a binary. `unpacked` is the directory where the wheel lies extracted, or
    the binary ready to be run; it is made again when it is missing.
    """

    digest: str
    size: int
    filename: str
    uploaded_at: float
    uploaded_by: str
    kind: Kind = "wheel"
    declaration: Declaration | None = None
    state: ArtifactState = ArtifactState.UPLOADED
    plugin: str = ""
    version: str = ""
    manifest: Manifest | None = None
    metadata: WheelMetadata | None = None
    signature: str = ""
    provenance: Provenance | None = None
    go: GoBuild | None = None
    config_schema: dict[str, Any] | None = None
    hooks: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict[str, float])
    layers: tuple[LayerReport, ...] = ()
    unpacked: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding of every layer, in order."""
        return tuple(finding for layer in self.layers for finding in layer.findings)
