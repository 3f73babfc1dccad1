"""What a validation layer is, and what the layers tell each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from plugbay.artifacts._artifact import WheelMetadata
    from plugbay.artifacts._declaration import Declaration
    from plugbay.artifacts._go_build import GoBuild
    from plugbay.artifacts._kind import Kind
    from plugbay.artifacts._native._elf import Elf
    from plugbay.artifacts.signing import Provenance
    from plugbay.kernel import Problem
    from plugbay.sdk import Manifest


@dataclass(slots=True, kw_only=True)
class Subject:
    """The artifact under inspection; each layer adds what it learned for those behind it."""

    digest: str
    path: Path
    filename: str
    kind: Kind = "wheel"
    by: str = ""
    declaration: Declaration | None = None
    signature: str = ""
    provenance: Provenance | None = None
    files: frozenset[str] = frozenset()
    dist_info: str = ""
    metadata: WheelMetadata | None = None
    manifest: Manifest | None = None
    config_schema: Mapping[str, Any] | None = None
    imports: frozenset[str] = frozenset()
    elf: Elf | None = None
    go: GoBuild | None = None
    hooks: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict[str, float])

    def wheel(self) -> WheelMetadata:
        """Return the wheel's metadata; the layer `form` has passed."""
        if self.metadata is None:
            raise LookupError("the layer 'form' comes first")
        return self.metadata

    def declared(self) -> Manifest:
        """Return the manifest; the layer `manifest` has passed."""
        if self.manifest is None:
            raise LookupError("the layer 'manifest' comes first")
        return self.manifest


class Layer(Protocol):
    """One step of validation."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...

    @property
    def eager(self) -> bool:
        """Whether it also looks when a layer before it has failed, so that all is said at once."""
        ...

    async def inspect(self, subject: Subject) -> Sequence[Problem] | None:
        """Return everything that is wrong, at once; `Finding` can make it a mere warning.

        None if it could not look, because a layer before it has not found what it builds on.
        What it raises is not the artifact's fault: the artifact stays `uploaded`.
        """
        ...
