"""Carrying changes out: one at a time, prepared everywhere, durable at one point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plugbay.control import _messages as say
from plugbay.control._artifacts import Artifacts
from plugbay.control._change import Rollback, digests_of, keys_of
from plugbay.control._conclusion import plugin_changes, receipt_of
from plugbay.control._operation import OperationState
from plugbay.control._store import Revision
from plugbay.control._two_phase import Refused, Round
from plugbay.kernel import PlugbayError, PreconditionFailed

if TYPE_CHECKING:
    from plugbay.control._change import Change
    from plugbay.control._conclusion import Conclusions
    from plugbay.control._ledger import Ledger
    from plugbay.control._operation import Operation
    from plugbay.control._plan import Plan
    from plugbay.control._ports import Beside, Catalog
    from plugbay.control._probation import Probation
    from plugbay.control._roster import Roster
    from plugbay.control._store import Store
    from plugbay.control._tasks import Tasks
    from plugbay.kernel import Clock, Randomness

S = OperationState
REFUSALS = 5
"""How often workers may refuse an automatic rollback before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the coordinator waits, in seconds. `prepare` is besides exclusive drains."""

    workers: float = 30.0
    prepare: float = 30.0
    answer: float = 10.0
    drain: float = 30.0
    """Beyond a plugin's own drain deadline."""
    again: float = 0.5
    """Before an automatic rollback is tried again."""


class Execution:
    """Takes operations from its queue and carries them out; keeps the committed desired state."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        beside: Beside,
        *,
        clock: Clock,
        randomness: Randomness,
        patience: Patience,
        tasks: Tasks,
        ledger: Ledger,
        roster: Roster,
        conclusions: Conclusions,
        probation: Probation,
    ) -> None:
        self._store, self._clock, self._patience = store, clock, patience
        self._tasks, self._ledger, self._roster = tasks, ledger, roster
        self._conclusions, self._probation = conclusions, probation
        self._boot = f"{int(randomness.random() * 2**32):08x}"
        self._tickets = 0
        self.artifacts, self._beside = Artifacts(catalog), beside
        self.desired = store.committed()
        """The committed desired state."""
        self._refusals: dict[str, int] = {}
        self._making: set[str] = set()
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def put(self, id: str) -> None:
        """Carry out a pending operation when its turn comes."""
        self._queue.put_nowait(id)

    @property
    def busy(self) -> bool:
        """Whether changes wait or are prepared: then a new one is checked when its turn comes."""
        ahead = (o for o in self._ledger.unfinished() if o.id not in self._making)
        return any(not operation.revision for operation in ahead)

    async def plan(self, change: Change, actor: str, expected: int | None) -> Plan:
        """Work out the next desired state and check it. Raises `PlugbayError`."""
        if expected is not None:
            # What is about no single thing is about all of it.
            keys = keys_of(change)
            found = max(map(self.version_of, keys), default=self.desired.revision)
            if found != expected:
                detail = f"it was changed in revision {found}, after {expected}: read it again"
                raise PreconditionFailed(detail)
        await self.artifacts.know(digests_of(change))
        return await self.artifacts.plan(self.desired, change, self._store, actor, self._clock)

    def ticket(self, operation: str) -> str:
        """Return the name of one attempt of an operation: no other has it, also after a restart."""
        self._tickets += 1
        return f"{operation}.{self._boot}.{self._tickets}"

    def version_of(self, key: str) -> int:
        """Return the revision that last changed `plugins/<id>`, `routes/<name>` or the like: its
        entity tag. 0 if it is not there."""
        return self.desired.changed.get(key, 0)

    async def run(self) -> None:
        """Do so for ever."""
        while True:
            await self._one(await self._queue.get())

    async def _one(self, id: str) -> None:
        if self._ledger.get(id).state is not S.PENDING:
            return  # cancelled
        try:
            await self._execute(id)
        except PlugbayError as error:
            if isinstance(error, Refused) and self._must_happen(id, error):
                self._try_again(id)
            else:
                await self._conclusions.fail(id, error)

    async def _execute(self, id: str) -> None:
        """Carry out one operation up to the commit. Raises `PlugbayError`; nothing changed."""
        operation = self._ledger.note(id, lambda o: o.to(S.PREPARING, self._clock.time()))
        drafted = await self.plan(operation.change, operation.actor, operation.expected)
        if not drafted.touched:
            await self._ledger.record(id, self._idle)
            return
        if drafted.lacks:
            self._make_first(id, drafted)
            return
        try:
            await self._beside.prepare(drafted.desired)
            await self._carry_out(id, drafted)
        finally:
            await self._beside.settle(self.desired)

    async def _carry_out(self, id: str, drafted: Plan) -> None:
        facts = await self.artifacts.of(drafted.desired)
        sessions = await self._roster.settled(self._patience.workers)
        if not sessions:
            raise Refused("no worker is ready to take the change", lost=True)
        question = say.Prepare(
            ticket=self.ticket(id),
            desired=drafted.desired,
            facts=facts,
            watch=drafted.watch(),
        )
        round_ = Round(sessions, question)
        self._conclusions.begun(id, sessions)
        try:
            longer = drafted.drains() + drafted.starts(facts)
            await round_.prepare(self._patience.prepare + longer)
        except Refused:
            self._conclusions.note(id, round_)
            await round_.abort(self._patience.answer)
            raise
        self._conclusions.note(id, round_)
        await self._commit(id, round_, drafted)

    async def _commit(self, id: str, round_: Round, drafted: Plan) -> None:
        """Write the commit point, then tell the workers."""
        try:
            await self._write(id, drafted)
        except PlugbayError:
            await round_.abort(self._patience.answer)
            raise
        await round_.commit(self._patience.answer)
        self._conclusions.note(id, round_)
        behind = [s for s in self._roster.ready() if s.revision != self.desired.revision]
        self._roster.lagging(behind)
        self.conclude(id)

    async def _write(self, id: str, drafted: Plan) -> None:
        """The commit point. Raises `PlugbayError` if it is certain that nothing was written."""
        revision = Revision(
            desired=drafted.desired,
            operation=id,
            created=self._clock.time(),
            touched=drafted.touched,
        )
        number, changes = drafted.desired.revision, plugin_changes(self.desired, drafted.desired)

        def edit(operation: Operation) -> Operation:
            now = self._clock.time()
            return operation.to(S.COMMITTING, now, revision=number, changes=changes)

        async def write(operation: Operation) -> None:
            await self._store.commit(revision, operation, drafted.configs)

        try:
            await self._ledger.record_by(id, edit, write)
        except PlugbayError:
            stored = self._store.revision(number)
            if stored is None or stored.operation != id:
                raise
            self._ledger.note(id, edit)
        self.desired = drafted.desired
        self._probation.committed(revision)

    def conclude(self, id: str) -> None:
        """See an operation that was committed to its end."""
        drains = (spec.drain for spec in self.desired.plugins.values())
        seconds = max(drains, default=0.0) + self._patience.drain
        self._tasks.spawn(self._conclusions.conclude(id, seconds), name=f"conclude {id}")

    def _idle(self, operation: Operation) -> Operation:
        """Nothing was to change."""
        done = operation.to(S.SUCCEEDED, self._clock.time())
        return replace(done, receipt=receipt_of(done))

    def _must_happen(self, id: str, error: Refused) -> bool:
        """Whether it is an automatic rollback: that is tried again, also after refusals."""
        change = self._ledger.get(id).change
        if not isinstance(change, Rollback) or not change.cause:
            return False
        self._refusals[id] = self._refusals.get(id, 0) + (not error.lost)
        return self._refusals[id] < REFUSALS

    def _make_first(self, id: str, drafted: Plan) -> None:
        """Make what it lacks, while other changes pass it; then its turn comes again."""

        async def make() -> None:
            try:
                await self.artifacts.make(drafted)
            except PlugbayError as error:
                if self._ledger.get(id).state is S.PENDING:
                    self._conclusions.made(id, failed=True)
                    await self._conclusions.fail(id, error)
                return
            finally:
                self._making.discard(id)
            if self._ledger.get(id).state is S.PENDING:  # nobody has cancelled it meanwhile
                self._conclusions.made(id)
                self._queue.put_nowait(id)

        self._making.add(id)
        self._ledger.note(id, lambda o: o.to(S.PENDING, self._clock.time()))
        self._conclusions.making(id, ", ".join(drafted.lacks.values()))
        self._tasks.spawn(make(), name=f"make {id}")

    def _try_again(self, id: str) -> None:
        async def later() -> None:
            await asyncio.sleep(self._patience.again)
            self._queue.put_nowait(id)

        self._ledger.note(id, lambda o: o.to(S.PENDING, self._clock.time()))
        self._tasks.spawn(later(), name=f"again {id}")
