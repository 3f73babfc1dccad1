"""The end of an operation: every worker's part of it is gathered, then it gets its receipt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.control import _messages as say
from plugbay.control._change import Rollback
from plugbay.control._operation import OperationState, Step
from plugbay.control._session import Lost
from plugbay.kernel import NotFound, PluginChange, WorkerReport, make_receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.control._ledger import Ledger
    from plugbay.control._model import Desired
    from plugbay.control._operation import Operation
    from plugbay.control._session import Answer, Session
    from plugbay.control._two_phase import Round
    from plugbay.kernel import Clock, PlugbayError, Receipt

S = OperationState
SUPERVISOR = "supervisor"
"""Whose step it is what is made before workers are asked."""
SILENT = "it has not reported in time"
PASSED = "it was brought up to date afterwards"


class Conclusions:
    """Keeps the steps of operations and concludes them."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    def begun(self, id: str, sessions: Sequence[Session]) -> None:
        """These workers take part in an attempt of the operation."""
        steps = {session.worker: begin(session) for session in sessions}

        def edit(operation: Operation) -> Operation:
            made = operation.steps.get(SUPERVISOR)
            return replace(operation, steps=steps if made is None else {SUPERVISOR: made, **steps})

        self._ledger.note(id, edit)

    def making(self, id: str, what: str) -> None:
        """Before workers can take part, this is made."""
        self._put(id, Step(worker=SUPERVISOR, state="making", detail=what))

    def made(self, id: str, *, failed: bool = False) -> None:
        """It has been made, or it cannot be."""
        step = self._ledger.get(id).steps[SUPERVISOR]
        self._put(id, replace(step, state="failed" if failed else "made"))

    def note(self, id: str, round_: Round) -> None:
        """Take the workers' latest answers into the operation's steps."""
        for session in round_.sessions:
            answer = round_.answers.get(session.worker)
            if answer is not None:
                self._step(id, session, answer)

    async def conclude(self, id: str, seconds: float) -> None:
        """Wait for the workers' drain reports, at most `seconds`, and write the receipt."""
        operation = self._ledger.get(id)
        if operation.state is S.COMMITTING:
            self._ledger.note(id, lambda o: o.to(S.DRAINING, self._clock.time()))
        if isinstance(operation.change, Rollback) and operation.change.cause:
            await self._undone(operation.change.cause, operation)
        await self._ledger.wait(id, _all_said, seconds)
        await self._ledger.record(id, self._succeeded)

    async def fail(self, id: str, error: PlugbayError) -> None:
        """Write down why an operation was not carried out."""

        def edit(operation: Operation) -> Operation:
            failed = operation.to(
                S.FAILED,
                self._clock.time(),
                error=error.detail,
                code=error.code,
                problems=error.problems,
            )
            return replace(failed, receipt=receipt_of(failed, failed=error.detail))

        await self._ledger.record(id, edit)

    def joined(self, session: Session, hello: say.Hello) -> None:
        """A worker has connected: what its last process had not reported is lost. Its revision
        alone does not tell whether it made a change, or was brought past it; its reports do."""
        made = {report.ticket for report in hello.drained} | set(hello.draining)
        ids = {operation_of(ticket) for ticket in made}
        for operation in self._open(session.worker):
            step = operation.steps[session.worker]
            if step.boot != session.boot:
                self._put(operation.id, replace(step, state="lost", detail="the process ended"))
            elif operation.id in ids:
                self._put(operation.id, replace(step, state="committed"))
            elif operation.revision and session.revision >= operation.revision:
                self._put(operation.id, replace(step, state="drained", detail=PASSED))
        for report in hello.drained:
            self.drained(session.worker, session.boot, report)

    def caught_up(self, session: Session) -> None:
        """A worker is at the committed revision: it has passed over what it had not done."""
        for operation in self._open(session.worker):
            step = operation.steps[session.worker]
            if step.state != "committed" and operation.revision:
                self._put(operation.id, replace(step, state="drained", detail=PASSED))

    def gone(self, worker: str, pid: int) -> None:
        """A worker's process has ended."""
        for operation in self._open(worker):
            step = operation.steps[worker]
            if step.pid == pid and operation.revision:
                self._put(operation.id, replace(step, state="lost", detail="the process ended"))

    def drained(self, worker: str, boot: str, message: say.Drained) -> None:
        """A worker reports how its old generations went."""
        id = operation_of(message.ticket)
        try:
            operation = self._ledger.get(id)
        except NotFound:
            return
        step = operation.steps.get(worker) or Step(worker=worker, boot=boot, state="committed")
        if step.state == "drained" and step.reports:
            return  # repeated
        if operation.concluded:
            return
        reports = tuple(
            WorkerReport.of(
                worker, slot, prepared_ms=step.prepared_ms, committed_ms=step.committed_ms
            )
            for slot in message.slots
        )
        known = {report.plugin for report in reports}
        reports += tuple(
            WorkerReport(
                worker=worker,
                plugin=change.plugin,
                prepared_ms=step.prepared_ms,
                committed_ms=step.committed_ms,
            )
            for change in operation.changes
            if change.plugin not in known
        )
        self._put(id, replace(step, state="drained", reports=reports))

    def _succeeded(self, operation: Operation) -> Operation:
        """Conclude it; one that was rolled back meanwhile only gets its figures."""
        now = self._clock.time()
        for step in operation.open_steps:
            operation = operation.with_step(replace(step, state="lost", detail=SILENT), now)
        if operation.state is S.DRAINING:
            operation = operation.to(S.SUCCEEDED, now)
            return replace(operation, receipt=receipt_of(operation))
        return replace(operation, receipt=receipt_of(operation, rolled_back=operation.error))

    async def _undone(self, cause: str, by: Operation) -> None:
        """Mark the operation that an automatic rollback has undone."""
        why = f"{by.reason} (undone by {by.id})"

        def edit(operation: Operation) -> Operation:
            if operation.state is not S.ROLLED_BACK:
                operation = operation.to(S.ROLLED_BACK, self._clock.time(), error=why)
            return replace(operation, receipt=receipt_of(operation, rolled_back=why))

        await self._ledger.record(cause, edit)

    def _step(self, id: str, session: Session, answer: Answer | Lost) -> None:
        step = self._ledger.get(id).steps.get(session.worker)
        step = step or begin(session)
        match answer:
            case say.Prepared():
                step = replace(step, state="prepared", prepared_ms=answer.milliseconds)
            case say.PrepareFailed():
                step = replace(step, state="failed", detail=answer.detail)
            case say.Committed():
                took = answer.milliseconds
                if step.state == "drained":  # nothing was in flight: that word came first
                    reports = tuple(replace(report, committed_ms=took) for report in step.reports)
                    step = replace(step, committed_ms=took, reports=reports)
                else:
                    step = replace(step, state="committed", committed_ms=took)
                step = replace(step, in_flight=answer.in_flight)
            case say.Aborted():
                step = replace(step, state="aborted")
            case Lost():
                if step.state in ("lost", "drained"):
                    return
                # A worker that may have prepared says in its next hello how far it got.
                kept = step if step.state == "prepared" else replace(step, state="lost")
                step = replace(kept, detail=answer.detail)
        self._put(id, step)

    def _put(self, id: str, step: Step) -> None:
        self._ledger.note(id, lambda operation: operation.with_step(step, self._clock.time()))

    def _open(self, worker: str) -> list[Operation]:
        return [
            operation
            for operation in self._ledger.unconcluded()
            if any(step.worker == worker for step in operation.open_steps)
        ]


def operation_of(ticket: str) -> str:
    """Return the operation that a ticket belongs to."""
    return ticket.partition(".")[0]


def begin(session: Session) -> Step:
    """Return a worker's first step."""
    return Step(worker=session.worker, boot=session.boot, pid=session.pid, state="preparing")


def _all_said(operation: Operation) -> bool:
    return not operation.open_steps


def plugin_changes(old: Desired, new: Desired) -> tuple[PluginChange, ...]:
    """Say what becomes of each plugin from one desired state to another."""
    before, after = old.enabled(), new.enabled()
    return tuple(
        PluginChange(
            plugin=id,
            old_version=before[id].version if id in before else "",
            new_version=after[id].version if id in after else "",
            old_digest=before[id].digest if id in before else "",
            new_digest=after[id].digest if id in after else "",
            old_config_version=before[id].config_version if id in before else 0,
            new_config_version=after[id].config_version if id in after else 0,
        )
        for id in sorted(before.keys() | after.keys())
        if before.get(id) != after.get(id)
    )


def receipt_of(operation: Operation, *, failed: str = "", rolled_back: str = "") -> Receipt:
    """Sum up an operation's steps."""
    steps = operation.steps.values()
    return make_receipt(
        operation=operation.id,
        actor=operation.actor,
        reason=operation.reason,
        changes=operation.changes,
        reports=[report for step in steps for report in step.reports],
        began=operation.created,
        ended=operation.updated,
        failed=failed,
        rolled_back=rolled_back,
    )
