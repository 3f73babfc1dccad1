"""From how the child process of a trial ended to what is wrong with the plugin."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plugbay.isolation import Report, refusal
from plugbay.kernel import Problem
from plugbay.runtimes._guard import BROKEN
from plugbay.runtimes._trial_messages import Ended, Findings, Stage
from plugbay.runtimes._trial_report import TrialReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.runtimes._trial_messages import Message
    from plugbay.runtimes._trial_report import TrialLimits

_DOING = {
    "load": "while it was imported",
    "config": "while its configuration was read",
    "restart": "while it was started again",
    "audit": "after it was stopped",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the parent has seen: the messages, why it ended the trial, the end of the output, and
    how the child was kept apart."""

    messages: Sequence[Message]
    ended_for: Literal["", "time", "output", "answer"]
    output: str
    report: Report = field(default_factory=Report)


def verdict(outcome: Outcome, limits: TrialLimits) -> TrialReport:
    """Return the report of a trial, however it ended."""
    if outcome.report.refused or outcome.report.error:
        return TrialReport(problems=(_not_started(outcome.report),))
    findings = Findings()
    stage = ""
    ended: Ended | None = None
    for message in outcome.messages:
        if isinstance(message, Findings):
            findings = message
        elif isinstance(message, Stage):
            stage = message.name
        else:
            ended = message
    told = any(isinstance(message, Findings) for message in outcome.messages)
    problems = list(findings.problems)
    if outcome.ended_for or not told or ended != Ended():
        doing = _DOING.get(stage, f"in {stage}") if stage else "before it was imported"
        problems.append(_end(outcome, ended, doing, limits))
    return TrialReport(
        problems=tuple(problems),
        warnings=(*findings.warnings, *(Problem("trial", note) for note in outcome.report.notes)),
        config_schema=findings.config_schema,
        hooks=tuple(findings.hooks),
        timings=findings.timings,
        output=outcome.output,
        notes=outcome.report.notes,
    )


def _not_started(report: Report) -> Problem:
    if report.refused:
        return Problem(
            "trial",
            refusal(report),
            expected='a host that allows it: processes.isolation = "require"',
            found=", ".join(report.refused),
            remedy="plugbay doctor says what to allow",
        )
    return Problem("trial", f"its process cannot be started: {report.error}")


def _end(outcome: Outcome, ended: Ended | None, doing: str, limits: TrialLimits) -> Problem:
    if outcome.ended_for == "time":
        return Problem(
            "trial",
            f"it did not come to an end {doing}",
            expected=f"at most {limits.seconds:g} s for the whole trial",
            found="it still ran",
            remedy="look for an endless loop or a wait without a time limit",
        )
    if outcome.ended_for:
        what = "printed" if outcome.ended_for == "output" else "answered"
        return Problem(
            "trial",
            f"it {what} too much {doing}",
            expected=f"at most {limits.output_bytes} bytes",
            found="more",
            remedy="log by host.log, and not in a loop",
        )
    if ended is None:
        return Problem(
            "trial",
            f"the process of the trial was killed {doing}",
            expected="it ends by itself",
            found="it was killed from outside, or has killed its keeper",
            remedy="try again; if it happens again, the plugin kills processes",
        )
    return (
        _by_signal(ended.signal, doing, limits) if ended.signal else _by_exit(ended, outcome, doing)
    )


def _by_signal(number: int, doing: str, limits: TrialLimits) -> Problem:
    if number == signal.SIGXCPU:
        return Problem(
            "trial",
            f"it used too much processor time {doing}",
            expected=f"at most {limits.cpu_seconds} s",
            found="more",
            remedy="look for an endless loop; do heavy work in a job, not in the plugin",
        )
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    return Problem(
        "trial",
        f"it crashed by {name} {doing}",
        expected="it ends by itself",
        found=f"signal {name}",
        remedy="such a crash would take a worker down: find it under `python -X faulthandler`",
    )


def _by_exit(ended: Ended, outcome: Outcome, doing: str) -> Problem:
    if ended.code == BROKEN and "MemoryError" in outcome.output:
        return Problem(
            "trial",
            f"it ran out of memory {doing}",
            expected="it fits into the memory of a trial",
            found="MemoryError",
            remedy="allocate less, and later: in start or by request, not at import",
        )
    return Problem(
        "trial",
        f"it ended its process {doing}",
        expected="a plugin never ends the process: it would take a worker down",
        found=f"exit code {ended.code}",
        remedy="raise an exception instead of os._exit or sys.exit",
    )
