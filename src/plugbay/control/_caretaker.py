"""Looks after a worker's plugins between changes: watch windows, health, restarts, quarantine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plugbay.control._messages import PluginEvent
from plugbay.kernel import (
    Backoff,
    Health,
    HealthPolicy,
    HealthState,
    PluginError,
    Quarantine,
    RestartBudget,
    RestartPolicy,
    Watch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._applier import Applier
    from plugbay.control._model import Instance
    from plugbay.control._tasks import Tasks
    from plugbay.kernel import Clock, Generation, Randomness, Slot

    Kind = Literal["watch-failed", "health-failed", "restarted", "quarantined"]

STEADY = 3
"""Good answers in a row after which a restart is held to have helped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePolicy:
    """How patient a worker is. `look` is the time between looks at a watch; in seconds."""

    health: HealthPolicy = field(default_factory=HealthPolicy)
    look: float = 0.5
    restarts: int = 5
    window: float = 300.0
    first: float = 0.5
    ceiling: float = 60.0


@dataclass(slots=True, eq=False)
class Watched:
    """One generation on probation."""

    instance: Instance
    generation: Generation
    watch: Watch
    told: bool = False
    """Whether its bad end was reported."""


@dataclass(slots=True, eq=False)
class _Care:
    """What is remembered of one instance of a plugin."""

    instance: Instance
    policy: RestartPolicy
    checks: asyncio.Task[None] | None = None
    restart: asyncio.Task[None] | None = None
    checked: float = 0.0

    def end(self) -> None:
        for task in (self.checks, self.restart):
            if task is not None:
                task.cancel()


class Caretaker:
    """Sees that what should run does run, and says what it sees by `report`."""

    def __init__(
        self,
        applier: Applier,
        tasks: Tasks,
        *,
        clock: Clock,
        randomness: Randomness,
        policy: CarePolicy,
        report: Callable[[PluginEvent], None],
    ) -> None:
        self._applier, self._tasks = applier, tasks
        self._clock, self._randomness, self._policy = clock, randomness, policy
        self._report = report
        self._cares: dict[str, _Care] = {}
        self.watches: dict[str, Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def follow(self, watch: dict[str, float], failed: dict[str, str]) -> None:
        """Take a committed change in: forget what is gone, look after what is new."""
        wanted = {id: spec.instance for id, spec in self._applier.desired.enabled().items()}
        for id in [id for id, care in self._cares.items() if wanted.get(id) != care.instance]:
            self._cares.pop(id).end()
            self.watches.pop(id, None)
        for id, instance in wanted.items():
            if id in self._cares:
                continue
            self._cares[id] = self._care(instance)
            generation = self._applier.slots.ensure(id).current
            if id in failed:
                self._broken(id, failed[id])
            elif generation is not None:
                self._attend(id, generation, watch.get(id, 0.0))

    def hold(self, id: str, reason: str) -> None:
        """Take a quarantine over from the supervisor: do not try to start it."""
        self._cares[id].policy.quarantined = Quarantine(reason)

    def quarantined(self, id: str) -> str:
        """Why the plugin is in quarantine; empty if it is not."""
        care = self._cares.get(id)
        return care.policy.quarantined.reason if care and care.policy.quarantined else ""

    def checked(self, id: str) -> float:
        """When the plugin was last asked for its health, at its start too; 0: never."""
        care = self._cares.get(id)
        return care.checked if care else 0.0

    def revised(self, slot: Slot) -> None:
        """A slot's generation failed, or was started again after a change was undone."""
        care = self._cares.get(slot.plugin)
        if care is None:
            return
        if slot.current is None:
            self._broken(slot.plugin, slot.reason)
        elif care.checks is None or care.checks.done():
            self._attend(slot.plugin, slot.current, 0.0)

    def close(self) -> None:
        """Look after nothing any more."""
        for care in self._cares.values():
            care.end()
        self._cares.clear()
        self.watches.clear()

    async def blame(self, id: str, reason: str, *, quarantine: bool = False) -> None:
        """Take a plugin out of service that was found to do harm, by the watchdog or by policy."""
        care, slot = self._cares.get(id), self._applier.slots.ensure(id)
        if care is None or slot.current is None:
            return
        if quarantine:
            care.policy.quarantined = Quarantine(reason)
        await slot.fail(reason)

    def _care(self, instance: Instance) -> _Care:
        policy = self._policy
        backoff = Backoff(self._randomness, first=policy.first, ceiling=policy.ceiling)
        budget = RestartBudget(self._clock, restarts=policy.restarts, window=policy.window)
        return _Care(instance, RestartPolicy(backoff, budget))

    def _attend(self, id: str, generation: Generation, probation: float) -> None:
        care = self._cares[id]
        care.checked = self._clock.time()  # a generation must be well before it serves
        if probation > 0:
            watch = Watch(self._clock, generation.vitals, seconds=probation)
            self.watches[id] = Watched(care.instance, generation, watch)
            if self._looking is None or self._looking.done():
                self._looking = self._tasks.spawn(self._look(), name="watch")
        if care.checks is not None:
            care.checks.cancel()
        care.checks = self._tasks.spawn(self._check(id, generation), name=f"health {id}")

    async def _look(self) -> None:
        """Look at every open watch until none is left."""
        while any(watched.watch.verdict().pending for watched in self.watches.values()):
            await asyncio.sleep(self._policy.look)
            for id, watched in self.watches.items():
                if watched.watch.verdict().bad:
                    self._condemned(id, watched)

    def _condemned(self, id: str, watched: Watched) -> None:
        if not watched.told:
            watched.told = True
            self._say("watch-failed", id, watched.watch.verdict().reason)

    async def _check(self, id: str, generation: Generation) -> None:
        """Ask one generation for its health until it has failed or is replaced."""
        slot, health = self._applier.slots.get(id), Health(self._policy.health)
        interval, good = self._policy.health.interval, 0
        while slot.current is generation:
            await asyncio.sleep(interval * (0.9 + 0.2 * self._randomness.random()))
            if slot.current is not generation or slot.changing or generation.instance is None:
                continue
            reason = await self._ask(generation)
            if id in self._cares:
                self._cares[id].checked = self._clock.time()
            if slot.current is not generation or slot.changing:
                continue
            if not reason:
                health.passed()
                good += 1
                if good == STEADY:
                    self._cares[id].policy.steady()
            elif health.failed(reason) is HealthState.FAILED:
                self._say("health-failed", id, reason)
                self._tasks.spawn(slot.fail(reason, generation=generation), name=f"fail {id}")
                return

    async def _ask(self, generation: Generation) -> str:
        """Return what is wrong; the plugin border."""
        instance = generation.instance
        if instance is None:
            return ""
        try:
            async with asyncio.timeout(self._policy.health.timeout):
                await instance.health()
        except TimeoutError:
            return f"health took longer than {self._policy.health.timeout:g} s"
        except Exception as error:  # noqa: BLE001 - the plugin border: it becomes a reason
            return f"health raised {type(error).__name__}: {error}"
        return ""

    def _broken(self, id: str, reason: str) -> None:
        """Nothing runs where this plugin should: restart it after a while, or give it up."""
        watched = self.watches.get(id)
        if watched is not None and watched.watch.verdict().pending:
            watched.watch.condemn(reason)
            self._condemned(id, watched)
        care = self._cares[id]
        if care.restart is not None and not care.restart.done():
            return
        care.restart = self._tasks.spawn(self._restart(id, care, reason), name=f"restart {id}")

    async def _restart(self, id: str, care: _Care, reason: str) -> None:
        while True:
            verdict = care.policy.failed(reason)
            if isinstance(verdict, Quarantine):
                self._say("quarantined", id, verdict.reason)
                return
            await asyncio.sleep(verdict.after)
            try:
                fresh = await self._applier.restart(id, care.instance)
            except PluginError as error:
                reason = error.reason
                continue
            if fresh is not None and self._cares.get(id) is care:
                self._attend(id, fresh, 0.0)
                self._say("restarted", id, f"after: {reason}")
            return

    def _say(self, kind: Kind, id: str, detail: str) -> None:
        slot = self._applier.slots.ensure(id)
        number = slot.current.number if slot.current else 0
        self._report(
            PluginEvent(
                kind=kind,
                plugin=id,
                instance=self._cares[id].instance,
                generation=number,
                detail=detail,
            )
        )
