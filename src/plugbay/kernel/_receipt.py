"""The receipt of a change: who, why, what, and what it cost the requests that were there."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.kernel._change import Drained


class ReceiptOutcome(enum.StrEnum):
    """How a change ended."""

    OK = "ok"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginChange:
    """What became of one plugin; what was not there before, or is not any more, is empty or 0."""

    plugin: str
    old_version: str = ""
    new_version: str = ""
    old_digest: str = ""
    new_digest: str = ""
    old_config_version: int = 0
    new_config_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What the change of one plugin was like in one worker.

    `in_flight` is at the flip; times are in milliseconds. `problems` is what went wrong without
    stopping the change, such as a `stop` that raised; `error` is what did stop it.
    """

    worker: str
    plugin: str
    prepared_ms: float = 0.0
    committed_ms: float = 0.0
    in_flight: int = 0
    drained_ms: float = 0.0
    cancelled: int = 0
    dropped: int = 0
    problems: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def of(
        cls, worker: str, drained: Drained, *, prepared_ms: float, committed_ms: float
    ) -> WorkerReport:
        """Report how the old generation went."""
        return cls(
            worker=worker,
            plugin=drained.plugin,
            prepared_ms=prepared_ms,
            committed_ms=committed_ms,
            in_flight=drained.in_flight,
            drained_ms=drained.drained_ms,
            cancelled=drained.cancelled,
            dropped=drained.dropped,
            problems=drained.problems,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The reports in one line: counts are added up, times are those of the slowest.

    A request inside several of the changed plugins counts once for each.
    """

    workers: int = 0
    prepared_ms: float = 0.0
    committed_ms: float = 0.0
    in_flight: int = 0
    drained_ms: float = 0.0
    cancelled: int = 0
    dropped: int = 0

    @classmethod
    def of(cls, reports: Iterable[WorkerReport]) -> Totals:
        """Add the reports up."""
        reports = tuple(reports)
        return cls(
            workers=len({report.worker for report in reports}),
            prepared_ms=max((report.prepared_ms for report in reports), default=0.0),
            committed_ms=max((report.committed_ms for report in reports), default=0.0),
            in_flight=sum(report.in_flight for report in reports),
            drained_ms=max((report.drained_ms for report in reports), default=0.0),
            cancelled=sum(report.cancelled for report in reports),
            dropped=sum(report.dropped for report in reports),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of one operation, kept for good.

    `began` and `ended` are seconds since 1970; `why` says why the outcome is not `ok`.
    """

    operation: str
    actor: str
    reason: str
    outcome: ReceiptOutcome
    why: str = ""
    began: float = 0.0
    ended: float = 0.0
    changes: tuple[PluginChange, ...] = ()
    workers: tuple[WorkerReport, ...] = ()
    totals: Totals = field(default_factory=Totals)


def make_receipt(
    *,
    operation: str,
    actor: str,
    reason: str,
    changes: Iterable[PluginChange],
    reports: Iterable[WorkerReport],
    began: float,
    ended: float,
    rolled_back: str = "",
    failed: str = "",
) -> Receipt:
    """Sum the workers' reports into a receipt.

    `failed` says why the change was not made, `rolled_back` why it was undone. An error in a
    report makes it failed too, for a receipt never looks better than its parts.
    """
    ordered = tuple(sorted(reports, key=lambda report: (report.plugin, report.worker)))
    errors = (f"{report.worker}: {report.error}" for report in ordered if report.error)
    why = rolled_back or failed or "; ".join(errors)
    outcome = ReceiptOutcome.FAILED if why else ReceiptOutcome.OK
    return Receipt(
        operation=operation,
        actor=actor,
        reason=reason,
        outcome=ReceiptOutcome.ROLLED_BACK if rolled_back else outcome,
        why=why,
        began=began,
        ended=ended,
        changes=tuple(sorted(changes, key=lambda change: change.plugin)),
        workers=ordered,
        totals=Totals.of(ordered),
    )
