"""The supervisor's side of changes: one at a time, over all workers, durable at one point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plugbay.control import _messages as say
from plugbay.control._artifacts import Artifacts
from plugbay.control._change import Rollback, digests_of, keys_of
from plugbay.control._conclusion import Conclusions, plugin_changes, receipt_of
from plugbay.control._ledger import Ledger
from plugbay.control._operation import Operation, OperationState
from plugbay.control._probation import Probation
from plugbay.control._roster import Roster
from plugbay.control._store import Revision
from plugbay.control._tasks import Tasks
from plugbay.control._two_phase import Refused, Round
from plugbay.kernel import Conflict, PlugbayError, PreconditionFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._change import Change
    from plugbay.control._model import Desired
    from plugbay.control._plan import Plan
    from plugbay.control._ports import Catalog, Link
    from plugbay.control._session import Session
    from plugbay.control._store import Store
    from plugbay.kernel import Clock, Randomness

    Publish = Callable[[str, dict[str, Any]], None]

S = OperationState
ATTEMPTS = 3
"""How often an operation is begun, if the supervisor dies while it is prepared."""

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


class Coordinator:
    """Takes changes and carries them out. Made after `store`; `start` resumes what was left.

    `publish` hears of everything that happens, as topic and data.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        clock: Clock,
        randomness: Randomness,
        publish: Publish = lambda topic, data: None,
        patience: Patience | None = None,
        heard: Callable[[Session, say.Message], None] = lambda session, message: None,
        admit: Callable[[say.Hello], bool] = lambda hello: True,
    ) -> None:
        self._store, self._clock = store, clock
        self._patience = patience or Patience()
        self._publish, self._pass_on = publish, heard
        self.admit = admit
        """Whether the worker that says hello is one of ours; set by the pool."""
        self._boot = f"{int(randomness.random() * 2**32):08x}"
        self._tickets = 0
        self._artifacts = Artifacts(catalog)
        self._desired = store.committed()
        self.tasks = Tasks()
        self.ledger = Ledger(store, randomness, self._operation_changed)
        self.roster = Roster(self, clock, self.tasks, patience=self._patience.prepare)
        self.conclusions = Conclusions(self.ledger, clock)
        self.probation = Probation(self, store, clock, self.tasks, self._patience.again, publish)
        self._refusals: dict[str, int] = {}
        self._making: set[str] = set()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._opening = asyncio.Lock()

    @property
    def desired(self) -> Desired:
        """The committed desired state."""
        return self._desired

    async def start(self) -> None:
        """Resume what a supervisor before this one has left unfinished, and take changes."""
        for operation in self.ledger.unconcluded():
            if operation.revision:
                self._conclude(operation.id)
            elif operation.attempts >= ATTEMPTS:
                error = Unavailable("the supervisor was restarted during each attempt")
                await self.conclusions.fail(operation.id, error)
            else:
                await self.ledger.record(
                    operation.id, lambda o: replace(o, attempts=o.attempts + 1)
                )
                self._queue.put_nowait(operation.id)
        self.tasks.spawn(self._run(), name="changes")

    async def close(self) -> None:
        """Take no more changes and let go of the workers; they serve on."""
        self.roster.close()
        await self.tasks.close()

    async def attach(self, link: Link) -> None:
        """Speak with a worker that has connected, until its link breaks."""
        await self.roster.serve(link)

    async def submit(
        self,
        change: Change,
        *,
        actor: str,
        reason: str = "",
        expected: int | None = None,
        idempotency_key: str = "",
    ) -> Operation:
        """Take a change. When this returns, it is durable and will be carried out or refused.

        `expected` is the revision at which the caller saw what it changes (`version_of`), or
        for several things as one the whole desired state.
        Raises what `plan` raises, `PreconditionFailed`, `Conflict` (the key was used for
        another change), and `Unavailable`; then nothing was taken.
        """
        async with self._opening:
            if idempotency_key:
                known = self.ledger.by_key(actor, idempotency_key)
                if known is not None:
                    return _same(known, change, idempotency_key)
            if not self._busy():
                await self._plan(change, actor, expected)
            now, sequence = self._clock.time(), self.ledger.take_sequence()
            operation = await self.ledger.open(
                Operation(
                    id=f"op-{sequence}",
                    sequence=sequence,
                    change=change,
                    actor=actor,
                    reason=reason,
                    created=now,
                    updated=now,
                    idempotency_key=idempotency_key,
                    expected=expected,
                    attempts=1,
                    steps={},
                )
            )
        self._queue.put_nowait(operation.id)
        return operation

    async def cancel(self, id: str) -> Operation:
        """Cancel an operation that was not begun. Raises `NotFound`, `Conflict`."""

        def edit(operation: Operation) -> Operation:
            return operation.to(S.CANCELLED, self._clock.time())

        return await self.ledger.record(id, edit)

    async def wait(self, id: str, *, timeout: float, finished: bool = True) -> Operation:
        """Return the operation when it is finished, or as it is after `timeout` seconds.

        With `finished=False` it is enough that every connected worker serves its revision.
        """

        def until(operation: Operation) -> bool:
            return operation.finished or (not finished and self.converged(operation))

        return await self.ledger.wait(id, until, timeout)

    def converged(self, operation: Operation) -> bool:
        """Whether every connected worker serves the revision that the operation made."""
        sessions = self.roster.sessions.values()
        done = all(session.revision >= operation.revision for session in sessions)
        return bool(operation.revision and sessions) and done

    def version_of(self, key: str) -> int:
        """Return the revision that last changed `plugins/<id>`, `routes/<name>` or
        `upstreams/<name>`: its entity tag. 0 if it is not there."""
        return self._desired.changed.get(key, 0)

    # What the roster asks and tells ----------------------------------------------------------

    async def catch_up(self, worker: str) -> say.Prepare:
        """Return what brings a worker to the committed state. Raises `PlugbayError`."""
        desired = self._desired
        revision = self._store.revision(desired.revision)
        facts = await self._artifacts.of(desired)
        return say.Prepare(
            ticket=self._ticket(revision.operation if revision else "none"),
            desired=desired,
            facts=facts,
            catch_up=True,
            watch=self.probation.left(desired),
            quarantined=self.probation.quarantined(desired, worker),
        )

    def joined(self, session: Session, hello: say.Hello) -> None:
        """A worker has connected."""
        self._publish("worker.connected", {"worker": session.worker, "pid": session.pid})
        self.conclusions.joined(session, hello)
        self.probation.look(session)

    def caught_up(self, session: Session) -> None:
        """A worker is at the committed revision now."""
        self.conclusions.caught_up(session)
        self.ledger.wake()

    def left(self, session: Session) -> None:
        """A worker's link broke."""
        self._publish("worker.disconnected", {"worker": session.worker, "pid": session.pid})
        self.ledger.wake()

    def heard(self, session: Session, message: say.Message) -> None:
        """A worker has said something that is not an answer of a change."""
        if isinstance(message, say.Drained):
            self.conclusions.drained(session.worker, session.boot, message)
        elif isinstance(message, say.Status):
            self.probation.look(session)
        elif isinstance(message, say.PluginEvent):
            self._publish_plugin(session, message)
            self.probation.heard(session, message)
        self._pass_on(session, message)

    def _publish_plugin(self, session: Session, event: say.PluginEvent) -> None:
        if event.kind == "log":
            return  # lines are for whoever keeps logs, not for the journal
        spec = self._desired.plugins.get(event.plugin)
        data = {
            "worker": session.worker,
            "plugin": event.plugin,
            "version": spec.version if spec else "",
            "generation": event.generation,
            "detail": event.detail,
        }
        self._publish(f"plugin.{event.kind}", data)

    def gone(self, worker: str, pid: int, *, crashed: bool = False) -> None:
        """A worker's process has ended: whatever it had not reported is lost."""
        session = self.roster.sessions.get(worker)
        if session is not None and session.pid == pid:
            session.link.close()
        self.conclusions.gone(worker, pid)
        if crashed:
            self.probation.crashed()

    # Carrying out ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._one(await self._queue.get())

    async def _one(self, id: str) -> None:
        if self.ledger.get(id).state is not S.PENDING:
            return  # cancelled
        try:
            await self._execute(id)
        except PlugbayError as error:
            if isinstance(error, Refused) and self._must_happen(id, error):
                self._try_again(id)
            else:
                await self.conclusions.fail(id, error)

    async def _execute(self, id: str) -> None:
        """Carry out one operation up to the commit. Raises `PlugbayError`; nothing changed."""
        operation = self.ledger.note(id, lambda o: o.to(S.PREPARING, self._clock.time()))
        drafted = await self._plan(operation.change, operation.actor, operation.expected)
        if not drafted.touched:
            await self.ledger.record(id, self._idle)
            return
        if drafted.lacks:
            self._make_first(id, drafted)
            return
        facts = await self._artifacts.of(drafted.desired)
        sessions = await self.roster.settled(self._patience.workers)
        if not sessions:
            raise Refused("no worker is ready to take the change", lost=True)
        question = say.Prepare(
            ticket=self._ticket(id),
            desired=drafted.desired,
            facts=facts,
            watch=drafted.watch(),
        )
        round_ = Round(sessions, question)
        self.conclusions.begun(id, sessions)
        try:
            await round_.prepare(self._patience.prepare + drafted.drains())
        except Refused:
            self.conclusions.note(id, round_)
            await round_.abort(self._patience.answer)
            raise
        self.conclusions.note(id, round_)
        await self._commit(id, round_, drafted)

    async def _commit(self, id: str, round_: Round, drafted: Plan) -> None:
        """Write the commit point, then tell the workers."""
        try:
            await self._write(id, drafted)
        except PlugbayError:
            await round_.abort(self._patience.answer)
            raise
        await round_.commit(self._patience.answer)
        self.conclusions.note(id, round_)
        behind = [s for s in self.roster.ready() if s.revision != self._desired.revision]
        self.roster.lagging(behind)
        self._conclude(id)

    async def _write(self, id: str, drafted: Plan) -> None:
        """The commit point. Raises `PlugbayError` if it is certain that nothing was written."""
        revision = Revision(
            desired=drafted.desired,
            operation=id,
            created=self._clock.time(),
            touched=drafted.touched,
        )
        number, changes = drafted.desired.revision, plugin_changes(self._desired, drafted.desired)

        def edit(operation: Operation) -> Operation:
            now = self._clock.time()
            return operation.to(S.COMMITTING, now, revision=number, changes=changes)

        async def write(operation: Operation) -> None:
            await self._store.commit(revision, operation, drafted.configs)

        try:
            await self.ledger.record_by(id, edit, write)
        except PlugbayError:
            stored = self._store.revision(number)
            if stored is None or stored.operation != id:
                raise
            self.ledger.note(id, edit)
        self._desired = drafted.desired
        self.probation.committed(revision)

    def _conclude(self, id: str) -> None:
        drains = (spec.drain for spec in self._desired.plugins.values())
        seconds = max(drains, default=0.0) + self._patience.drain
        self.tasks.spawn(self.conclusions.conclude(id, seconds), name=f"conclude {id}")

    def _idle(self, operation: Operation) -> Operation:
        """Nothing was to change."""
        done = operation.to(S.SUCCEEDED, self._clock.time())
        return replace(done, receipt=receipt_of(done))

    def _must_happen(self, id: str, error: Refused) -> bool:
        """Whether it is an automatic rollback: that is tried again, also after refusals."""
        change = self.ledger.get(id).change
        if not isinstance(change, Rollback) or not change.cause:
            return False
        self._refusals[id] = self._refusals.get(id, 0) + (not error.lost)
        return self._refusals[id] < REFUSALS

    def _make_first(self, id: str, drafted: Plan) -> None:
        """Make what it lacks, while other changes pass it; then its turn comes again."""

        async def make() -> None:
            try:
                await self._artifacts.make(drafted)
            except PlugbayError as error:
                if self.ledger.get(id).state is S.PENDING:
                    self.conclusions.made(id, failed=True)
                    await self.conclusions.fail(id, error)
                return
            finally:
                self._making.discard(id)
            if self.ledger.get(id).state is S.PENDING:  # nobody has cancelled it meanwhile
                self.conclusions.made(id)
                self._queue.put_nowait(id)

        self._making.add(id)
        self.ledger.note(id, lambda o: o.to(S.PENDING, self._clock.time()))
        self.conclusions.making(id, ", ".join(drafted.lacks.values()))
        self.tasks.spawn(make(), name=f"make {id}")

    def _try_again(self, id: str) -> None:
        async def later() -> None:
            await asyncio.sleep(self._patience.again)
            self._queue.put_nowait(id)

        self.ledger.note(id, lambda o: o.to(S.PENDING, self._clock.time()))
        self.tasks.spawn(later(), name=f"again {id}")

    def _busy(self) -> bool:
        """Whether changes wait or are prepared: then a new one is checked when its turn comes."""
        ahead = (o for o in self.ledger.unfinished() if o.id not in self._making)
        return any(not operation.revision for operation in ahead)

    async def _plan(self, change: Change, actor: str, expected: int | None) -> Plan:
        """Work out the next desired state and check it. Raises `PlugbayError`."""
        if expected is not None:
            # What is about no single thing is about all of it.
            keys = keys_of(change)
            found = max(map(self.version_of, keys), default=self._desired.revision)
            if found != expected:
                detail = f"it was changed in revision {found}, after {expected}: read it again"
                raise PreconditionFailed(detail)
        await self._artifacts.know(digests_of(change))
        return await self._artifacts.plan(self._desired, change, self._store, actor, self._clock)

    def _ticket(self, operation: str) -> str:
        self._tickets += 1
        return f"{operation}.{self._boot}.{self._tickets}"

    def _operation_changed(self, operation: Operation) -> None:
        data = {"operation": operation.id, "kind": operation.kind, "state": operation.state.value}
        self._publish("operation.changed", data)


def _same(known: Operation, change: Change, key: str) -> Operation:
    if known.change != change:
        raise Conflict(f"the idempotency key {key} was used for {known.id}, another change")
    return known
