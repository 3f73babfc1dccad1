"""The worker's side of a change: prepare beside what runs, then commit or abort in one step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.control._model import Desired
from plugbay.control._ports import Placed
from plugbay.kernel import DependencyGraph, PluginError, Slot, SlotRegistry, SlotState

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._load import Loader
    from plugbay.control._messages import Facts, Prepare
    from plugbay.control._model import Instance, PluginSpec
    from plugbay.control._ports import Plane, Table
    from plugbay.control._tasks import Tasks
    from plugbay.kernel import Change, Clock, Drained, Generation
    from plugbay.sdk import Manifest


@dataclass(slots=True, eq=False)
class Pending:
    """A change that is being prepared, or was; `settled` once it was committed or aborted."""

    message: Prepare
    changes: list[Change] = field(default_factory=list["Change"])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """Slots that could not follow, and why; only when catching up."""
    table: Table | None = None
    stale: bool = False
    """What serves has changed since the table was built."""
    old: dict[str, Manifest] = field(default_factory=dict[str, "Manifest"])
    """What the old generations said of themselves, by plugin."""
    settled: bool = False

    def fresh(self) -> dict[str, Generation]:
        """The new generations, by plugin."""
        return {c.slot.plugin: c.fresh for c in self.changes if c.fresh is not None}


class Applier:
    """Owns a worker's slots and its table. One change at a time; local restarts wait for it.

    `revised` is called when a slot failed, or its generation was restarted by a change that
    was undone.
    """

    def __init__(
        self,
        loader: Loader,
        plane: Plane,
        clock: Clock,
        tasks: Tasks,
        revised: Callable[[Slot], None],
    ) -> None:
        self.desired = Desired()
        self.slots = SlotRegistry(lambda id: Slot(id, clock, revised=self._revise))
        self._loader, self._plane, self._tasks = loader, plane, tasks
        self._tell = revised
        self._facts: dict[str, Facts] = {}
        self._instances: dict[str, tuple[int, Instance]] = {}
        self._leaving: dict[str, asyncio.Task[Drained | None]] = {}
        self._turn = asyncio.Lock()
        self._pending: Pending | None = None
        self._serving = False

    async def prepare(self, message: Prepare) -> Pending:
        """Bring up what `message` has and this worker has not, and build its table.

        Raises `PlugbayError`; then, and if it is cancelled, all is as it was.
        """
        await self._turn.acquire()
        self._pending = pending = Pending(message)
        try:
            for id in self._to_start(message):
                await self._prepare_start(pending, message.desired.plugins[id])
            for id in self._to_stop(message.desired):
                pending.changes.append(await self.slots.get(id).prepare_disable())
            pending.stale = False
            placed = self._placed(message.desired, message.facts, pending)
            pending.table = self._plane.build(message.desired, placed)
        except BaseException:
            await self.abort(pending)
            raise
        return pending

    def commit(self, pending: Pending) -> dict[str, int]:
        """Make the change, in one step; return what was in flight in the old generations."""
        in_flight: dict[str, int] = {}
        for change in pending.changes:
            old = change.slot.current
            if old is not None:
                in_flight[old.plugin], pending.old[old.plugin] = old.in_flight, old.manifest
        for change in pending.changes:
            change.commit()
        self.desired, self._facts = pending.message.desired, pending.message.facts
        self._note(pending.changes, self.desired)
        table, pending.table = pending.table, None
        if table is not None and not pending.stale:
            self._plane.install(table)
        else:
            self._rebuild()
            if table is not None:
                table.retire()
        self._serving = True
        self._settle(pending)
        return in_flight

    async def abort(self, pending: Pending) -> None:
        """Undo what was prepared, the last first. Does nothing if it is settled."""
        if not pending.settled:
            pending.settled = True
            # Whoever waits may be cancelled: the slots must not stay half changed.
            await asyncio.shield(self._tasks.spawn(self._undo(pending), name="abort"))

    async def drain(self, pending: Pending) -> tuple[Drained, ...]:
        """Wait for the old generations to end, each behind those that need it."""
        desired = pending.message.desired
        graph = DependencyGraph(pending.old.values())
        changes = {change.slot.plugin: change for change in pending.changes}
        ends: dict[str, asyncio.Task[Drained | None]] = {}
        for id in reversed(graph.start_order()):
            spec = desired.plugins.get(id)
            before = [ends[other] for other in graph.dependents(id, transitive=False)]
            work = _drain(changes[id], spec.drain if spec else DRAIN, before)
            ends[id] = self._tasks.spawn(work, name=f"drain {id}")
            if changes[id].fresh is None:
                self._leaving[id] = ends[id]
        if ends:
            await asyncio.wait(ends.values())
        results = [end.result() for end in ends.values() if not end.cancelled()]
        return tuple(drained for drained in results if drained is not None)

    async def close(self) -> None:
        """Stop every generation, those that need others first; nothing is served after it."""
        async with self._turn:
            self._serving = False
            graph = DependencyGraph(s.current.manifest for s in self.slots if s.current is not None)
            for id in reversed(graph.start_order()):
                change = await self.slots.get(id).prepare_disable()
                change.commit()
                await change.drain(0)

    async def restart(self, id: str, instance: Instance) -> Generation | None:
        """Start a fresh generation where this instance should run and does not.

        None if it is not wanted any more. Raises `PluginError`.
        """
        async with self._turn:
            spec = self.desired.plugins.get(id)
            slot = self.slots.ensure(id)
            if spec is None or not spec.enabled or spec.instance != instance:
                return None
            if slot.current is not None and self.instance(id) == instance:
                return None
            await self._gone(id)
            change = await self._bring_up(slot, spec, self._facts[spec.digest])
            change.commit()
            self._note([change], self.desired)
            self._rebuild()
            self._tasks.spawn(change.drain(spec.drain), name=f"drain {id}")
            return change.fresh

    def instance(self, id: str) -> Instance | None:
        """What runs in the slot now."""
        slot, known = self.slots.ensure(id), self._instances.get(id)
        if slot.current is None or known is None or known[0] != slot.current.number:
            return None
        return known[1]

    def _to_start(self, message: Prepare) -> list[str]:
        """Those whose instance is another than before, each behind what it needs.

        One that is as wanted before but failed by itself is left to its restarts.
        """
        enabled = message.desired.enabled()
        order = _graph(enabled, message.facts).start_order()
        return [id for id in order if self._wanted(id) != enabled[id].instance]

    def _to_stop(self, desired: Desired) -> list[str]:
        enabled = desired.enabled()
        return [
            slot.plugin
            for slot in self.slots
            if slot.plugin not in enabled
            and (slot.current is not None or slot.state is SlotState.FAILED)
        ]

    def _wanted(self, id: str) -> Instance | None:
        spec = self.desired.plugins.get(id)
        return spec.instance if spec and spec.enabled else None

    async def _prepare_start(self, pending: Pending, spec: PluginSpec) -> None:
        message = pending.message
        if spec.id in message.quarantined:
            pending.failed[spec.id] = message.quarantined[spec.id]
            return
        slot = self.slots.ensure(spec.id)
        try:
            await self._gone(spec.id)
            change = await self._bring_up(slot, spec, message.facts[spec.digest])
        except PluginError as error:
            if not message.catch_up:
                raise
            pending.failed[spec.id] = error.reason
            return
        pending.changes.append(change)

    async def _bring_up(self, slot: Slot, spec: PluginSpec, facts: Facts) -> Change:
        fresh = self._loader.generation(spec, facts, slot.take_number())
        if slot.current is None:
            return await slot.prepare_enable(fresh)
        return await slot.prepare_swap(fresh, drain=spec.drain)

    async def _gone(self, id: str) -> None:
        """Wait until the generation that was disabled has left the slot."""
        leaving = self._leaving.pop(id, None)
        if leaving is not None:
            await asyncio.wait((leaving,))

    async def _undo(self, pending: Pending) -> None:
        try:
            if pending.table is not None:
                pending.table.retire()
            for change in reversed(pending.changes):
                await change.abort()
            await self._tidy(pending.message.desired)
        finally:
            self._settle(pending)

    async def _tidy(self, refused: Desired) -> None:
        """Disable what failed while it was tried for the first time: it is not wanted."""
        for id in refused.plugins:
            if id in self.slots and self._wanted(id) is None:
                slot = self.slots.get(id)
                if slot.state is SlotState.FAILED and not slot.changing:
                    reason = slot.reason
                    (await slot.prepare_disable()).commit()
                    slot.reason = reason

    def _placed(
        self, desired: Desired, facts: dict[str, Facts], pending: Pending | None
    ) -> list[Placed]:
        fresh = pending.fresh() if pending else {}
        return [
            Placed(
                spec,
                facts[spec.digest].manifest,
                fresh.get(id) or (self.slots.get(id).current if id in self.slots else None),
            )
            for id, spec in desired.enabled().items()
        ]

    def _rebuild(self) -> None:
        placed = self._placed(self.desired, self._facts, None)
        self._plane.install(self._plane.build(self.desired, placed))

    def _revise(self, slot: Slot) -> None:
        if self._pending is not None:
            self._pending.stale = True
        if self._serving:
            self._rebuild()
        self._tell(slot)

    def _note(self, changes: list[Change], desired: Desired) -> None:
        for change in changes:
            if change.fresh is not None:
                id = change.slot.plugin
                self._instances[id] = (change.fresh.number, desired.plugins[id].instance)

    def _settle(self, pending: Pending) -> None:
        pending.settled = True
        self._pending = None
        self._turn.release()


DRAIN = 60.0
"""Seconds for the requests inside a plugin that was removed."""


def _graph(enabled: dict[str, PluginSpec], facts: dict[str, Facts]) -> DependencyGraph:
    return DependencyGraph(facts[spec.digest].manifest for spec in enabled.values())


async def _drain(
    change: Change, seconds: float, before: list[asyncio.Task[Drained | None]]
) -> Drained | None:
    if before:
        await asyncio.wait(before)
    return await change.drain(seconds)
