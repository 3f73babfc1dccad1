"""Operations, as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.control import (
    Batch,
    DeleteMcpFederation,
    DeleteMcpServer,
    DeleteRoute,
    DeleteUpstream,
    FileSet,
    OperationState,
    PutMcpFederation,
    PutMcpServer,
    PutRoute,
    PutUpstream,
)
from plugbay.kernel import ReceiptOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.control import Change, Operation, Step
    from plugbay.kernel import PluginChange, Problem, Totals, WorkerReport

NARROW = 0.12
"""The smallest share of a bar: what is short must still be seen."""
LEGIBLE = 0.2
"""From which share on a segment has room for its words."""
PREPARED = ("making", "made")
"""Of the step that comes before those of the workers: what they need is made first."""
SHOWN = 3
"""Names of a batch."""
FAILED = (OperationState.FAILED, OperationState.ROLLED_BACK, OperationState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the bar; `start` and `width` are shares of it."""

    name: str
    ms: float
    start: float
    width: float

    @property
    def legible(self) -> bool:
        """Whether the words fit into it."""
        return self.width >= LEGIBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCard:
    """One operation."""

    id: str
    kind: str
    target: str
    plugin: str
    """Of a change of one plugin; else empty."""
    what: str
    state: str
    bad: bool
    finished: bool
    actor: str
    reason: str
    created: float
    updated: float
    revision: int
    error: str
    why: str
    problems: tuple[Problem, ...]
    totals: Totals | None
    workers: int
    expected: int
    segments: tuple[Segment, ...]
    steps: tuple[Step, ...]
    reports: tuple[WorkerReport, ...]

    @classmethod
    def of(cls, operation: Operation) -> OperationCard:
        """Show an operation."""
        receipt = operation.receipt
        totals = receipt.totals if receipt else None
        outcome = receipt.outcome if receipt else ReceiptOutcome.OK
        target = _target(operation.change)
        return cls(
            id=operation.id,
            kind=operation.kind,
            target=target,
            plugin=getattr(operation.change, "plugin", ""),
            what="; ".join(_what(operation.changes)),
            state=operation.state,
            bad=operation.state in FAILED or outcome is not ReceiptOutcome.OK,
            finished=operation.finished,
            actor=operation.actor,
            reason=operation.reason,
            created=operation.created,
            updated=operation.updated,
            revision=operation.revision,
            error=operation.error,
            why=receipt.why if receipt else "",
            problems=operation.problems,
            totals=totals,
            workers=totals.workers if totals else 0,
            expected=sum(step.state not in PREPARED for step in operation.steps.values()),
            segments=segments(totals) if totals else (),
            steps=tuple(operation.steps[name] for name in sorted(operation.steps)),
            reports=receipt.workers if receipt else (),
        )


def segments(totals: Totals) -> tuple[Segment, ...]:
    """Where the time went. A part that is very short gets a width that can be seen."""
    times = (
        ("prepare", totals.prepared_ms),
        ("commit", totals.committed_ms),
        ("drain", totals.drained_ms),
    )
    whole = sum(ms for _, ms in times)
    if not whole:
        return ()
    widths = [max(NARROW, ms / whole) for _, ms in times]
    scale = sum(widths)
    starts = [sum(widths[:index]) / scale for index in range(len(widths))]
    return tuple(
        Segment(name=name, ms=ms, start=start, width=width / scale)
        for (name, ms), start, width in zip(times, starts, widths, strict=True)
    )


def _target(change: Change) -> str:
    """What a change is about, by name."""
    match change:
        case FileSet():
            return "gateway.toml"
        case Batch():
            named = list(dict.fromkeys(map(_target, change.changes)))
            more = len(named) - SHOWN
            return ", ".join(named[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        case PutRoute(route=spec) | PutUpstream(upstream=spec):
            return spec.name
        case PutMcpServer(server=spec) | PutMcpFederation(federation=spec):
            return spec.name
        case DeleteRoute() | DeleteUpstream() | DeleteMcpServer() | DeleteMcpFederation():
            return change.name
        case _:
            return change.plugin


def _what(changes: Sequence[PluginChange]) -> Iterator[str]:
    """What became of each plugin: versions, and configurations where only those changed."""
    several = len(changes) > 1
    for one in changes:
        prefix = f"{one.plugin} " if several else ""
        if one.old_version != one.new_version:
            yield f"{prefix}{one.old_version or 'none'} → {one.new_version or 'none'}"
        elif one.old_config_version != one.new_config_version:
            yield f"{prefix}config {one.old_config_version} → {one.new_config_version}"
