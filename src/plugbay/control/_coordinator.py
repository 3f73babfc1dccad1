"""The supervisor's side of changes: one at a time, over all workers, durable at one point."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plugbay.control import _messages as say
from plugbay.control._conclusion import Conclusions
from plugbay.control._execution import Execution, Patience
from plugbay.control._ledger import Ledger
from plugbay.control._operation import Operation, OperationState
from plugbay.control._ports import Nothing
from plugbay.control._probation import Probation
from plugbay.control._roster import Roster
from plugbay.control._tasks import Tasks
from plugbay.kernel import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._change import Change
    from plugbay.control._model import Desired
    from plugbay.control._ports import Beside, Catalog, Link
    from plugbay.control._session import Session
    from plugbay.control._store import Store
    from plugbay.kernel import Clock, Randomness

    Publish = Callable[[str, dict[str, Any]], None]

S = OperationState
ATTEMPTS = 3
"""How often an operation is begun, if the supervisor dies while it is prepared."""


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
        beside: Beside | None = None,
        heard: Callable[[Session, say.Message], None] = lambda session, message: None,
        admit: Callable[[say.Hello], bool] = lambda hello: True,
    ) -> None:
        self._store, self._clock = store, clock
        self._patience = patience or Patience()
        self._publish, self._pass_on = publish, heard
        self.admit = admit
        """Whether the worker that says hello is one of ours; set by the pool."""
        self.tasks = Tasks()
        self.ledger = Ledger(store, randomness, self._operation_changed)
        self.roster = Roster(self, clock, self.tasks, patience=self._patience.prepare)
        self.conclusions = Conclusions(self.ledger, clock)
        self.probation = Probation(self, store, clock, self.tasks, self._patience.again, publish)
        self.execution = Execution(
            store,
            catalog,
            beside or Nothing(),
            clock=clock,
            randomness=randomness,
            patience=self._patience,
            tasks=self.tasks,
            ledger=self.ledger,
            roster=self.roster,
            conclusions=self.conclusions,
            probation=self.probation,
        )
        self._opening = asyncio.Lock()

    @property
    def desired(self) -> Desired:
        """The committed desired state."""
        return self.execution.desired

    async def start(self) -> None:
        """Resume what a supervisor before this one has left unfinished, and take changes."""
        for operation in self.ledger.unconcluded():
            if operation.revision:
                self.execution.conclude(operation.id)
            elif operation.attempts >= ATTEMPTS:
                error = Unavailable("the supervisor was restarted during each attempt")
                await self.conclusions.fail(operation.id, error)
            else:
                await self.ledger.record(
                    operation.id, lambda o: replace(o, attempts=o.attempts + 1)
                )
                self.execution.put(operation.id)
        self.tasks.spawn(self.execution.run(), name="changes")

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
            if not self.execution.busy:
                await self.execution.plan(change, actor, expected)
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
        self.execution.put(operation.id)
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

    async def check(self, change: Change, *, actor: str) -> None:
        """Raise what `submit` would for this change, as far as it can be known; take nothing."""
        await self.execution.plan(change, actor, None)

    def version_of(self, key: str) -> int:
        """Return the revision that last changed `plugins/<id>`, `routes/<name>` or the like: its
        entity tag. 0 if it is not there."""
        return self.execution.version_of(key)

    # What the roster asks and tells ----------------------------------------------------------

    async def catch_up(self, worker: str) -> say.Prepare:
        """Return what brings a worker to the committed state. Raises `PlugbayError`."""
        desired = self.desired
        revision = self._store.revision(desired.revision)
        facts = await self.execution.artifacts.of(desired)
        return say.Prepare(
            ticket=self.execution.ticket(revision.operation if revision else "none"),
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
        spec = self.desired.plugins.get(event.plugin)
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

    def _operation_changed(self, operation: Operation) -> None:
        data = {"operation": operation.id, "kind": operation.kind, "state": operation.state.value}
        self._publish("operation.changed", data)


def _same(known: Operation, change: Change, key: str) -> Operation:
    if known.change != change:
        raise Conflict(f"the idempotency key {key} was used for {known.id}, another change")
    return known
