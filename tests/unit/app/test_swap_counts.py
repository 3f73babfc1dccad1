"""Each end of a change of plugins is counted once, however often its operation is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plugbay.app._swap_counts import SwapCounts
from plugbay.control import (
    Batch,
    Change,
    DeleteRoute,
    FileSet,
    Operation,
    OperationState,
    Reload,
    Step,
)
from plugbay.kernel import PluginChange, WorkerReport, make_receipt
from plugbay.observability import ChangeMetrics, Registry

S = OperationState


def operation(state: OperationState, change: Change, *reports: WorkerReport) -> Operation:
    changes = (PluginChange(plugin="p"),) if reports else ()
    receipt = make_receipt(
        operation="op-1", actor="a", reason="", changes=changes, reports=reports, began=0, ended=1
    )
    step = Step(worker="w", state="drained", prepared_ms=20, committed_ms=2, reports=reports)
    return Operation(
        id="op-1",
        sequence=1,
        change=change,
        actor="a",
        created=0,
        updated=1,
        state=state,
        changes=changes,
        steps={"w": step},
        receipt=receipt,
    )


REPORT = WorkerReport(worker="w", plugin="p", drained_ms=500, cancelled=1)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def counts(registry: Registry) -> SwapCounts:
    return SwapCounts(ChangeMetrics(registry))


def test_an_end_is_counted_once(registry: Registry, counts: SwapCounts) -> None:
    metrics = ChangeMetrics(registry)
    ended = operation(S.SUCCEEDED, Reload(plugin="p"), REPORT)
    counts.look(replace(ended, state=S.DRAINING, receipt=None))
    counts.look(ended)
    counts.look(ended)
    assert metrics._results.value("ok").value == 1
    assert metrics._cancelled.value == 1
    undone = replace(ended, state=S.ROLLED_BACK)
    counts.look(undone)
    counts.look(undone)
    assert metrics._results.value("rolled_back").value == 1
    assert metrics._cancelled.value == 1
    histogram = metrics._seconds.histogram("drain")
    assert (histogram.count, histogram.total) == (1, 0.5)
    assert metrics._seconds.histogram("prepare").total == 0.02


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (Reload(plugin="p"), 1),
        (Batch(changes=(DeleteRoute(name="r"), Reload(plugin="p"))), 1),
        (DeleteRoute(name="r"), 0),
        (FileSet(), 0),
    ],
)
def test_only_changes_of_plugins_are_swaps(
    registry: Registry, counts: SwapCounts, change: Change, number: int
) -> None:
    counts.look(operation(S.FAILED, change))
    counts.look(replace(operation(S.SUCCEEDED, change), id="op-2"))
    assert ChangeMetrics(registry)._results.value("failed").value == number
    assert ChangeMetrics(registry)._results.value("ok").value == 0
