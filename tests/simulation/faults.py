"""Planted faults: each breaks one promise of the code under test, and must be found."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from plugbay.control import _messages as say
from plugbay.control._agent import Agent
from plugbay.control._applier import Applier
from plugbay.control._artifacts import Artifacts
from plugbay.control._conclusion import Conclusions
from plugbay.control._coordinator import Coordinator
from plugbay.control._execution import Execution
from plugbay.control._ledger import Ledger
from plugbay.control._operation import OperationState
from plugbay.control._probation import Probation
from plugbay.control._two_phase import Round
from plugbay.kernel import Generation, PlugbayError, Slot
from plugbay.kernel._lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[[], contextlib.AbstractContextManager[object]]


def _instead(owner: type, name: str, other: Any) -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(owner, name, other)


def commit_before_all_prepared() -> contextlib.AbstractContextManager[object]:
    """The supervisor goes on although a worker has refused."""

    async def prepare(self: Round, seconds: float) -> None:
        await self._ask_all(self.question, seconds)

    return _instead(Round, "prepare", prepare)


def no_abort() -> contextlib.AbstractContextManager[object]:
    """After a refusal the other workers are not told."""

    async def abort(self: Round, seconds: float) -> None:
        return None

    return _instead(Round, "abort", abort)


def commit_before_write() -> contextlib.AbstractContextManager[object]:
    """Workers commit first, then the store is written."""
    write = Execution._write

    async def early(self: Execution, id: str, drafted: Any) -> None:
        for session in self._roster.ready():
            if not session.link.closed:
                ticket = f"{id}.{self._boot}.{self._tickets}"
                session.link.send(say.Commit(ticket=ticket))
        await asyncio.sleep(0.05)
        await write(self, id, drafted)

    return _instead(Execution, "_write", early)


def double_commit() -> contextlib.AbstractContextManager[object]:
    """A repeated commit is carried out again."""
    commit = Agent._commit

    def twice(self: Agent, ticket: str) -> None:
        pending = self._pending
        commit(self, ticket)
        if self._committed is not None and self._pending is None and pending is not None:
            self._again = pending  # type: ignore[attr-defined]
            return
        again = getattr(self, "_again", None)
        if again is not None and again.message.ticket == ticket:
            self.applier.commit(again)

    return _instead(Agent, "_commit", twice)


def forgotten_drain() -> contextlib.AbstractContextManager[object]:
    """Old generations are never drained and stopped."""

    async def drain(self: Applier, pending: Any) -> tuple[Any, ...]:
        return ()

    return _instead(Applier, "drain", drain)


def ack_before_write() -> contextlib.AbstractContextManager[object]:
    """A change is acknowledged before it is durable."""

    async def open_(self: Ledger, operation: Any) -> Any:
        self._show(operation)
        asyncio.get_running_loop().create_task(_quietly(self._store.save(operation)))
        return operation

    return _instead(Ledger, "open", open_)


def lost_rollback() -> contextlib.AbstractContextManager[object]:
    """A watch window that ended badly is not acted upon."""
    return _instead(Probation, "_watch_failed", lambda self, plugin, instance, reason: None)


def stale_boot() -> contextlib.AbstractContextManager[object]:
    """Workers are brought up to the revision before the committed one."""
    catch_up = Coordinator.catch_up

    async def stale(self: Coordinator, worker: str) -> say.Prepare:
        question = await catch_up(self, worker)
        before = self._store.revision(question.desired.revision - 1)
        if before is None:
            return question
        facts = await self.execution.artifacts.of(before.desired)
        desired = replace(before.desired, revision=question.desired.revision)
        return say.Prepare(ticket=question.ticket, desired=desired, facts=facts, catch_up=True)

    return _instead(Coordinator, "catch_up", stale)


def early_release() -> contextlib.AbstractContextManager[object]:
    """Old generations are stopped without waiting for their requests."""

    async def drained(
        self: Generation, seconds: float, clock: Any, *, cancel: bool = True
    ) -> float:
        return 0.0

    return _instead(Generation, "drained", drained)


def stopped_twice() -> contextlib.AbstractContextManager[object]:
    """Retiring a generation stops it two times."""
    put_down = Lifecycle.put_down

    async def twice(self: Lifecycle, generation: Generation) -> tuple[str, ...]:
        instance = generation.instance
        found = await put_down(self, generation)
        if instance is not None:
            generation.instance = instance
            await put_down(self, generation)
        return found

    return _instead(Lifecycle, "put_down", twice)


def no_health_check() -> contextlib.AbstractContextManager[object]:
    """A generation whose start failed is taken all the same."""
    start = Lifecycle.start

    async def careless(self: Lifecycle, fresh: Generation, state: bytes | None) -> None:
        instance = fresh.instance
        try:
            await start(self, fresh, state)
        except PlugbayError:
            fresh.instance = instance

    return _instead(Lifecycle, "start", careless)


def number_used_again() -> contextlib.AbstractContextManager[object]:
    """Generation numbers do not grow."""
    return _instead(Slot, "take_number", lambda self: max(1, self._newest))


def undecided_kept() -> contextlib.AbstractContextManager[object]:
    """A worker whose link broke keeps what it has prepared, and never decides."""

    async def undecided(self: Agent) -> None:
        self._ticket = ""

    return _instead(Agent, "_undecided", undecided)


def install_late() -> contextlib.AbstractContextManager[object]:
    """The new table is built, and the old one stays."""
    commit = Applier.commit

    def late(self: Applier, pending: Any) -> dict[str, int]:
        with mock.patch.object(self._plane, "install"):
            return commit(self, pending)

    return _instead(Applier, "commit", late)


def unfinished_forgotten() -> contextlib.AbstractContextManager[object]:
    """A restarted supervisor does not resume what was left."""

    async def start(self: Coordinator) -> None:
        self.tasks.spawn(self.execution.run(), name="changes")

    return _instead(Coordinator, "start", start)


def drains_not_awaited() -> contextlib.AbstractContextManager[object]:
    """The receipt is written before the workers have reported."""

    async def conclude(self: Conclusions, id: str, seconds: float) -> None:
        now = self._clock.time()
        if self._ledger.get(id).state is OperationState.COMMITTING:
            self._ledger.note(id, lambda o: o.to(OperationState.DRAINING, now))
        await self._ledger.record(id, self._succeeded)

    return _instead(Conclusions, "conclude", conclude)


def two_at_once() -> contextlib.AbstractContextManager[object]:
    """Changes are carried out side by side."""

    async def run(self: Execution) -> None:
        while True:
            id = await self._queue.get()
            self._tasks.spawn(self._one(id), name="one")

    return _instead(Execution, "run", run)


def pin_ignored() -> contextlib.AbstractContextManager[object]:
    """A pinned plugin is moved like any other."""
    return mock.patch("plugbay.control._draft.refuse_move", return_value=None)


def runtime_kept() -> contextlib.AbstractContextManager[object]:
    """A plugin that is to run by another runtime is left where it runs."""
    return mock.patch("plugbay.control._draft._fresh", lambda old, new: new)


def nothing_made() -> contextlib.AbstractContextManager[object]:
    """A plugin goes to its process before its environment was made."""

    async def lacks(self: Artifacts, desired: Any, drafted: Any) -> dict[str, str]:
        return {}

    return _instead(Artifacts, "_lacks", lacks)


FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        commit_before_all_prepared,
        no_abort,
        commit_before_write,
        double_commit,
        forgotten_drain,
        ack_before_write,
        lost_rollback,
        stale_boot,
        early_release,
        stopped_twice,
        no_health_check,
        number_used_again,
        undecided_kept,
        install_late,
        unfinished_forgotten,
        drains_not_awaited,
        two_at_once,
        pin_ignored,
        runtime_kept,
        nothing_made,
    )
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant one fault; none, if the name is empty."""
    if not name:
        yield
        return
    with FAULTS[name]():
        yield


async def _quietly(work: Any) -> None:
    with contextlib.suppress(PlugbayError):
        await work
