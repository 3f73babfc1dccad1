"""What the API shows of things, where it is not simply the thing itself."""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import Any, Generic, TypeVar

import msgspec

from plugbay.artifacts import Artifact, GoBuild, Kind, LayerReport, WheelMetadata
from plugbay.artifacts.signing import Provenance
from plugbay.control import Operation, OperationState, Step
from plugbay.kernel import ArtifactState, Problem, Receipt
from plugbay.sdk import Manifest

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of the things. `next` is what to send as `next` for the following ones, or null."""

    items: list[T]
    next: str | None = None


class ArtifactView(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact: immutable bytes named by their SHA-256, and what is known about them."""

    digest: str
    size: int
    filename: str
    uploaded_at: float
    uploaded_by: str
    kind: Kind
    state: ArtifactState
    plugin: str
    version: str
    manifest: Manifest | None
    metadata: WheelMetadata | None
    go: GoBuild | None
    provenance: Provenance | None
    config_schema: dict[str, Any] | None
    hooks: tuple[str, ...]
    timings: dict[str, float]
    layers: tuple[LayerReport, ...]

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactView":
        """Leave out where it lies on the disk."""
        return cls(**{name: getattr(artifact, name) for name in cls.__struct_fields__})


class OperationView(msgspec.Struct, frozen=True, kw_only=True):
    """A change in progress or done, with a step for each worker and, at its end, a receipt."""

    id: str
    kind: str
    state: OperationState
    finished: bool
    actor: str
    reason: str
    created: float
    updated: float
    revision: int
    change: dict[str, Any]
    steps: list[Step]
    receipt: Receipt | None
    code: str
    error: str
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, operation: Operation) -> "OperationView":
        """Show an operation."""
        return cls(
            id=operation.id,
            kind=operation.kind,
            state=operation.state,
            finished=operation.finished,
            actor=operation.actor,
            reason=operation.reason,
            created=operation.created,
            updated=operation.updated,
            revision=operation.revision,
            change=msgspec.to_builtins(operation.change),
            steps=[operation.steps[worker] for worker in sorted(operation.steps)],
            receipt=operation.receipt,
            code=operation.code,
            error=operation.error,
            problems=operation.problems,
        )


def page_of(items: list[T], offset: int, limit: int) -> Page[T]:
    """Cut one page out of all `items`."""
    following = offset + limit
    return Page(
        items=items[offset:following],
        next=str(following) if following < len(items) else None,
    )
