"""The layers in their order: each cheaper, and less trusting, than the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._form import Form
from plugbay.artifacts._manifest import ManifestLayer
from plugbay.artifacts._platform import Platform
from plugbay.artifacts._static import Static
from plugbay.artifacts._trial import TrialLayer

if TYPE_CHECKING:
    from collections.abc import Collection

    from plugbay.artifacts._archive import ArchiveLimits
    from plugbay.artifacts._layer import Layer
    from plugbay.artifacts._store import ArtifactStore
    from plugbay.artifacts._trial import Trial


def validation_layers(
    store: ArtifactStore,
    trial: Trial,
    *,
    runtimes: Collection[str] = ("python",),
    limits: ArchiveLimits | None = None,
) -> tuple[Layer, ...]:
    """Return form, manifest, platform, static and trial; `runtimes` are those switched on."""
    return (
        Form(limits),
        ManifestLayer(),
        Platform(runtimes),
        Static(),
        TrialLayer(trial, store.payload),
    )
