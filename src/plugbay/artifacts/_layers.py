"""The layers in their order: each cheaper, and less trusting, than the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._declared import RUNTIMES, DeclaredManifest
from plugbay.artifacts._binary._exported import Exported
from plugbay.artifacts._binary._extension import Extension
from plugbay.artifacts._binary._go import GoInfo
from plugbay.artifacts._binary._size import MAX_BYTES, Size
from plugbay.artifacts._binary._structure import Structure
from plugbay.artifacts._binary._unsupported import Unsupported
from plugbay.artifacts._form import Form
from plugbay.artifacts._manifest import ManifestLayer
from plugbay.artifacts._platform import Platform
from plugbay.artifacts._static import Static
from plugbay.artifacts._trial import TrialLayer
from plugbay.artifacts.environments import EnvironmentLayer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugbay.artifacts._archive import ArchiveLimits
    from plugbay.artifacts._binary._go import Versions
    from plugbay.artifacts._kind import Kind
    from plugbay.artifacts._layer import Layer
    from plugbay.artifacts._store import ArtifactStore
    from plugbay.artifacts._trial import Describe, Trial
    from plugbay.artifacts.environments import Environments


def validation_layers(
    store: ArtifactStore,
    trial: Trial,
    *,
    runtimes: Collection[str] = ("python",),
    limits: ArchiveLimits | None = None,
    signature: Layer | None = None,
    environments: Environments | None = None,
) -> tuple[Layer, ...]:
    """Return a wheel's: form, manifest, signature, platform, static, environment and trial;
    `runtimes` are those switched on. Without `signature` nobody asks who has made it, without
    `environments` none is built, and no wheel runs in a process of its own."""
    if environments is not None:
        runtimes = (*runtimes, "process")
    return (
        Form(limits),
        ManifestLayer(),
        *(() if signature is None else (signature,)),
        Platform(runtimes),
        Static(),
        *(() if environments is None else (EnvironmentLayer(environments, store.payload),)),
        TrialLayer(trial, store.payload),
    )


def binary_layers(
    store: ArtifactStore,
    kind: Kind,
    trial: Trial | None,
    *,
    max_bytes: int = MAX_BYTES,
    describe: Describe | None = None,
    go_versions: Versions | None = None,
    signature: Layer | None = None,
) -> tuple[Layer, ...]:
    """Return those of an executable or a shared object: extension, size, manifest, signature,
    elf, go, symbols and trial. Without a `trial` the runtime is not here, and the manifest is
    refused."""
    runtimes = () if trial is None else (RUNTIMES[kind],)
    return (
        Extension(),
        Size(max_bytes),
        DeclaredManifest(runtimes, described=describe is not None),
        *(() if signature is None else (signature,)),
        Structure(),
        GoInfo(versions=go_versions),
        Exported(),
        *(() if trial is None else (TrialLayer(trial, store.payload, describe),)),
    )


def layers_by_kind(
    store: ArtifactStore,
    trials: Mapping[Kind, Trial],
    *,
    runtimes: Collection[str] = ("python",),
    max_bytes: int = MAX_BYTES,
    describe: Describe | None = None,
    go_versions: Versions | None = None,
    signature: Layer | None = None,
    environments: Environments | None = None,
) -> Mapping[Kind, tuple[Layer, ...]]:
    """Return the layers of every kind. `trials` has one for each kind that can be run here, at
    least for wheels, whose `runtimes` are given."""
    return {
        "wheel": validation_layers(
            store,
            trials["wheel"],
            runtimes=runtimes,
            signature=signature,
            environments=environments,
        ),
        "executable": binary_layers(
            store,
            "executable",
            trials.get("executable"),
            max_bytes=max_bytes,
            describe=describe,
            signature=signature,
        ),
        "shared-object": binary_layers(
            store,
            "shared-object",
            trials.get("shared-object"),
            max_bytes=max_bytes,
            go_versions=go_versions,
            signature=signature,
        ),
        "wasm": (Unsupported(),),
    }
