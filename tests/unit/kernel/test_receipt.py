import pytest

from plugbay.kernel import (
    Drained,
    PluginChange,
    ReceiptOutcome,
    Totals,
    WorkerReport,
    make_receipt,
)

CHANGES = [PluginChange(plugin="b", new_version="1"), PluginChange(plugin="a", new_version="2")]
REPORTS = [
    WorkerReport(
        worker="1", plugin="a", prepared_ms=9, committed_ms=1, in_flight=3, drained_ms=5, dropped=1
    ),
    WorkerReport(
        worker="0",
        plugin="a",
        prepared_ms=7,
        committed_ms=2,
        in_flight=4,
        drained_ms=8,
        cancelled=2,
    ),
]


def receipt(**fate):
    reports = fate.pop("reports", REPORTS)
    return make_receipt(
        operation="op-1",
        actor="ada",
        reason="why not",
        changes=CHANGES,
        reports=reports,
        began=1.0,
        ended=2.0,
        **fate,
    )


def test_counts_are_summed_and_times_are_the_slowest():
    made = receipt()
    assert made.outcome is ReceiptOutcome.OK
    assert made.why == ""
    assert made.totals == Totals(
        workers=2, prepared_ms=9, committed_ms=2, in_flight=7, drained_ms=8, cancelled=2, dropped=1
    )
    assert [report.worker for report in made.workers] == ["0", "1"]
    assert [change.plugin for change in made.changes] == ["a", "b"]
    assert (made.operation, made.actor, made.reason) == ("op-1", "ada", "why not")


@pytest.mark.parametrize(
    ("fate", "outcome", "why"),
    [
        ({"failed": "no"}, "failed", "no"),
        ({"rolled_back": "errors"}, "rolled_back", "errors"),
        ({"rolled_back": "errors", "failed": "no"}, "rolled_back", "errors"),
    ],
)
def test_the_outcome_says_why(fate, outcome, why):
    made = receipt(**fate)
    assert (made.outcome, made.why) == (outcome, why)


def test_a_receipt_never_looks_better_than_its_parts():
    reports = [*REPORTS, WorkerReport(worker="2", plugin="a", error="died")]
    made = receipt(reports=reports)
    assert (made.outcome, made.why) == ("failed", "2: died")


def test_a_report_takes_over_what_was_drained():
    drained = Drained("a", 3, 5, 12.5, 1, 0, ("stop raised",))
    report = WorkerReport.of("0", drained, prepared_ms=1.0, committed_ms=2.0)
    assert report == WorkerReport(
        worker="0",
        plugin="a",
        prepared_ms=1.0,
        committed_ms=2.0,
        in_flight=5,
        drained_ms=12.5,
        cancelled=1,
        dropped=0,
        problems=("stop raised",),
    )


def test_nothing_sums_up_to_nothing():
    assert Totals.of(()) == Totals()
