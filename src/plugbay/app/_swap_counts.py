"""Counts changes of plugins from what becomes of their operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from plugbay.control import Batch, OperationState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.control import Change, Operation
    from plugbay.observability import ChangeMetrics

    Result = Literal["ok", "rolled_back", "failed"]

RESULTS: Mapping[OperationState, Result] = {
    OperationState.SUCCEEDED: "ok",
    OperationState.ROLLED_BACK: "rolled_back",
    OperationState.FAILED: "failed",
}
REMEMBERED = 1000
"""Operations whose count is kept, to count each of their ends once."""


class SwapCounts:
    """Looks at operations whenever they change and counts each one when it is concluded.

    One that went well and is rolled back later counts for both, its requests once.
    """

    def __init__(self, metrics: ChangeMetrics) -> None:
        self._metrics = metrics
        self._counted: dict[str, tuple[OperationState, int, int]] = {}

    def look(self, operation: Operation) -> None:
        """Count `operation` if it has ended since the last look."""
        result = RESULTS.get(operation.state)
        receipt = operation.receipt
        if result is None or receipt is None or not operation.concluded or not _swaps(operation):
            return
        state, dropped, cancelled = self._counted.get(operation.id, (None, 0, 0))
        if state is operation.state:
            return
        totals = receipt.totals
        self._counted[operation.id] = operation.state, totals.dropped, totals.cancelled
        if len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        self._metrics.ended(
            result,
            _seconds(operation) if state is None else {},
            dropped=totals.dropped - dropped,
            cancelled=totals.cancelled - cancelled,
        )


def _swaps(operation: Operation) -> bool:
    """Whether it changed plugins, or failed to."""
    if operation.state is OperationState.FAILED:
        return _about_plugins(operation.change)
    return bool(operation.changes)


def _about_plugins(change: Change) -> bool:
    if isinstance(change, Batch):
        return any(map(_about_plugins, change.changes))
    return bool(getattr(change, "plugin", "") or getattr(change, "plugins", ()))


def _seconds(operation: Operation) -> dict[str, float]:
    """How long each step took, in the slowest worker."""
    steps = operation.steps.values()
    longest = {
        "prepare": max((step.prepared_ms for step in steps), default=0.0),
        "commit": max((step.committed_ms for step in steps), default=0.0),
    }
    drained = [report.drained_ms for step in steps for report in step.reports]
    if drained:
        longest["drain"] = max(drained)
    return {name: ms / 1000 for name, ms in longest.items() if ms or name == "drain"}
