"""Watch windows and quarantine, as the supervisor sees them: a bad change is undone by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from plugbay.control._change import Rollback
from plugbay.control._store import Quarantined
from plugbay.kernel import PlugbayError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from plugbay.control._change import Change
    from plugbay.control._messages import PluginEvent
    from plugbay.control._model import Desired, Instance, PluginSpec
    from plugbay.control._operation import Operation
    from plugbay.control._session import Session
    from plugbay.control._store import Revision, Store
    from plugbay.control._tasks import Tasks
    from plugbay.kernel import Clock

ACTOR = "plugbay"
"""Who rolls back by itself."""

CRASHES = 3
"""So many workers that die in a plugin's watch window are a crash loop."""


class Submits(Protocol):
    """What this needs of the coordinator."""

    @property
    def desired(self) -> Desired: ...
    async def submit(
        self, change: Change, *, actor: str, reason: str = "", idempotency_key: str = ""
    ) -> Operation: ...


class Probation:
    """Acts on what workers find out about plugins after a change."""

    def __init__(
        self,
        coordinator: Submits,
        store: Store,
        clock: Clock,
        tasks: Tasks,
        again: float,
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._coordinator, self._store, self._clock = coordinator, store, clock
        self._tasks, self._again, self._publish = tasks, again, publish
        self._condemned: set[tuple[str, int]] = set()
        self._crashes: dict[tuple[str, int], int] = {}
        self._suspended: dict[str, tuple[Instance, str]] = {}
        self.marks = {(mark.plugin, mark.worker): mark for mark in store.quarantined()}

    def left(self, desired: Desired) -> dict[str, float]:
        """Return the seconds that are left of each plugin's watch window."""
        now = self._clock.time()
        found: dict[str, float] = {}
        for id, spec in desired.enabled().items():
            revision = self.introduced(desired, id)
            if revision is not None and revision.created + spec.watch > now:
                found[id] = revision.created + spec.watch - now
        return found

    def quarantined(self, desired: Desired, worker: str) -> dict[str, str]:
        """Return which of the plugins this worker must not try, and why."""
        found: dict[str, str] = {}
        for id, spec in desired.enabled().items():
            mark = self.marks.get((id, worker))
            if mark is not None and mark.instance == spec.instance:
                found[id] = mark.reason
            elif id in self._suspended and self._suspended[id][0] == spec.instance:
                found[id] = self._suspended[id][1]
        return found

    def committed(self, revision: Revision) -> None:
        """A change was made: what it touched gets another try."""
        touched = {key.removeprefix("plugins/") for key in revision.touched}
        for key in [key for key in self.marks if key[0] in touched]:
            del self.marks[key]
        for plugin in touched:
            self._suspended.pop(plugin, None)

    def look(self, session: Session) -> None:
        """Look through a worker's slots for what it may have said while nobody heard it."""
        for slot in session.slots.values():
            if slot.watch == "bad":
                self._watch_failed(slot.plugin, slot.instance, slot.watch_reason)

    def heard(self, session: Session, event: PluginEvent) -> None:
        """A worker tells of a plugin."""
        if event.kind == "watch-failed":
            self._watch_failed(event.plugin, event.instance, event.detail)
        elif event.kind == "quarantined":
            self._tasks.spawn(self._mark(session.worker, event), name="quarantine")

    def crashed(self) -> None:
        """A worker died. It cannot say of what: the plugin that was changed last is suspected,
        and undone when it happens again and again in that plugin's watch window. Until then the
        next worker does without it: none would live long enough to take the change back."""
        desired = self._coordinator.desired
        watched = {id: self.introduced(desired, id) for id in self.left(desired)}
        since = {id: revision.created for id, revision in watched.items() if revision}
        if not since:
            self._crashes.clear()
            return
        suspect = max(since, key=since.__getitem__)
        key = suspect, desired.changed.get(f"plugins/{suspect}", 0)
        self._crashes[key] = count = self._crashes.get(key, 0) + 1
        if count == CRASHES:
            instance = desired.plugins[suspect].instance
            reason = f"{count} workers died since it was changed"
            self._suspended[suspect] = instance, reason
            self._watch_failed(suspect, instance, reason)

    def introduced(self, desired: Desired, plugin: str) -> Revision | None:
        """Return the revision since which this very instance of the plugin is wanted."""
        spec, key = desired.plugins[plugin], f"plugins/{plugin}"
        found = self._store.revision(desired.changed.get(key, 0))
        while found is not None:
            before = self._store.revision(found.desired.changed.get(key, 0) - 1)
            old = before.desired.plugins.get(plugin) if before else None
            if before is None or old is None or not _same(old, spec):
                return found
            found = self._store.revision(before.desired.changed.get(key, 0))
        return None

    def _watch_failed(self, plugin: str, instance: Instance, reason: str) -> None:
        desired = self._coordinator.desired
        spec = desired.plugins.get(plugin)
        if spec is None or not spec.enabled or spec.instance != instance:
            return  # old news
        revision = self.introduced(desired, plugin)
        if revision is None or (plugin, revision.desired.revision) in self._condemned:
            return
        self._condemned.add((plugin, revision.desired.revision))
        cause = self._store.operation(revision.operation)
        if cause is not None and isinstance(cause.change, Rollback) and cause.change.cause:
            return  # what it went back to is bad too: going back and forth would not help
        work = self._roll_back(plugin, revision.operation, reason)
        self._tasks.spawn(work, name=f"roll back {plugin}")

    async def _roll_back(self, plugin: str, cause: str, reason: str) -> None:
        change = Rollback(plugin=plugin, cause=cause, comment=f"Watch window: {reason}")
        while True:
            try:
                await self._coordinator.submit(
                    change,
                    actor=ACTOR,
                    reason=f"watch window: {reason}",
                    idempotency_key=f"roll back {cause} {plugin}",
                )
            except Unavailable:
                await asyncio.sleep(self._again)
            except PlugbayError as error:  # it is pinned, or somebody has changed it meanwhile
                self._refused(plugin, cause, f"watch window: {reason}; {error.detail}")
                return
            else:
                return

    def _refused(self, plugin: str, cause: str, why: str) -> None:
        data = {"plugin": plugin, "operation": cause, "detail": why}
        self._publish("plugin.rollback-refused", data)

    async def _mark(self, worker: str, event: PluginEvent) -> None:
        mark = Quarantined(
            plugin=event.plugin,
            instance=event.instance,
            worker=worker,
            reason=event.detail,
            since=self._clock.time(),
        )
        self.marks[mark.plugin, worker] = mark
        while self.marks.get((mark.plugin, worker)) is mark:
            try:
                await self._store.quarantine(mark)
            except Unavailable:
                await asyncio.sleep(self._again)
            else:
                return


def _same(one: PluginSpec, other: PluginSpec) -> bool:
    return (one.instance, one.enabled) == (other.instance, other.enabled)
