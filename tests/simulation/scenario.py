"""What happens in a world: an operator's changes, clients' requests, trouble; then peace."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.simulation.loop import Process
from tests.simulation.plugins import BAD_HOOK, FACTS, PLUGINS, VERSIONS
from tests.simulation.world import LIMIT, Request, Worker, World

from plugbay.control import (
    Change,
    Configure,
    DeleteRoute,
    Disable,
    Enable,
    OperationState,
    Pin,
    PutRoute,
    PutUpstream,
    Reload,
    Remove,
    Rollback,
    RuntimeChoice,
    Swap,
    Unpin,
)
from plugbay.control._conclusion import SILENT
from plugbay.gateway import RouteSpec, Target, UpstreamSpec
from plugbay.kernel import PlugbayError, SlotState, Unavailable

OUTSIDE = Process("outside", 1)
RUNTIMES: tuple[RuntimeChoice, ...] = ("default", "in-process", "process")
BUSY = 60.0
"""Virtual seconds of trouble."""


def run(seed: int, *, verbose: bool = False) -> World:
    """Run one seed to its end; `world.violations` says what went wrong."""
    world = World(seed, verbose=verbose)
    try:
        world.start_supervisor()
        scenario = Scenario(world)
        scenario.begin()
        world.loop.run_until(lambda: world.loop.time() >= BUSY, BUSY + 1)
        world.healed = True
        if not world.loop.run_until(scenario.at_peace, LIMIT):
            world.violations.append(f"it never came to rest: {scenario.unrest()}")
        world.loop.run_until(lambda: False, world.loop.time() + 1)
        scenario.judge()
    finally:
        world.violations += world.loop.failures
        world.loop.close()
    return world


class Scenario:
    """The people of a world."""

    def __init__(self, world: World) -> None:
        self.world, self.random = world, world.random
        self.accepted: dict[str, Change] = {}
        self.finished: dict[str, OperationState] = {}
        self.asked_all = False

    def begin(self) -> None:
        """Let them loose."""
        world = self.world
        world.run_in(OUTSIDE, self._operate(3 + int(self.random.random() * 6)), "operator")
        world.run_in(OUTSIDE, self._browse(), "clients")
        if self.random.random() < 0.5:
            world.run_in(OUTSIDE, self._trouble(), "trouble")

    async def _operate(self, changes: int) -> None:
        await asyncio.sleep(1)
        await self._ask(
            PutUpstream(upstream=UpstreamSpec(name="u", targets=(Target(address="a:1"),))), "first"
        )
        for id in ("base", *PLUGINS):
            if self.random.random() < 0.7:
                await self._ask(
                    Enable(plugin=id, digest=f"{id}-1.0", drain=2.0, watch=5.0), f"enable {id}"
                )
        for number in range(changes):
            await asyncio.sleep(self.random.random() ** 2 * 12)
            await self._ask(self._change(), f"change {number}")
        self.asked_all = True

    async def _ask(self, change: Change, key: str) -> None:
        """Submit until it is taken or refused; then, mostly, see it to its end."""
        world = self.world
        while True:
            coordinator, supervisor = world.coordinator, world.supervisor
            if coordinator is None or supervisor is None:
                await asyncio.sleep(0.2)
                continue
            answer = asyncio.get_running_loop().create_future()
            world.run_in(supervisor, self._submit(coordinator, change, key, answer), "submit")
            try:
                async with asyncio.timeout(3):
                    id = await answer
            except TimeoutError:
                continue  # the supervisor has died; nobody knows whether it took the change
            break
        if id is None:
            return
        world.trace("accepted", id, key)
        self.accepted[id] = change
        if self.random.random() < 0.8:
            await self._see(id)

    async def _submit(self, coordinator: Any, change: Change, key: str, answer: Any) -> None:
        try:
            operation = await coordinator.submit(change, actor="me", idempotency_key=key)
        except Unavailable:
            await asyncio.sleep(0.1)
            result = "again"
        except PlugbayError as error:
            self.world.trace("refused", key, error.code)
            result = None
        else:
            result = operation.id
        if not answer.done() and result != "again":
            answer.set_result(result)

    async def _see(self, id: str) -> None:
        """Wait as a client does, by asking again and again; what it is told must stay true."""
        while self.world.loop.time() < LIMIT:
            coordinator = self.world.coordinator
            if coordinator is not None:
                operation = coordinator.ledger.get(id)
                if operation.finished:
                    self.finished[id] = operation.state
                    self.world.trace("finished", id, operation.state.value, operation.error)
                    return
            await asyncio.sleep(1)

    def _change(self) -> Change:
        pick, id = self.random.random(), self.random.choice(PLUGINS)
        if pick < 0.45:
            return Swap(plugin=id, digest=f"{id}-{self.random.choice(VERSIONS)}")
        if pick < 0.6:
            config = {"typo": 1} if self.random.random() < 0.1 else {"n": self.random.random()}
            return Configure(plugin=id, config=config)
        if pick < 0.68:
            return Disable(plugin=id, force=self.random.random() < 0.5)
        if pick < 0.73:
            runtime = self.random.choice(RUNTIMES)
            return Enable(plugin=id, drain=2.0, watch=5.0, runtime=runtime)
        if pick < 0.78:
            return Pin(plugin=id, why="kept") if self.random.random() < 0.5 else Unpin(plugin=id)
        if pick < 0.84:
            return Reload(plugin=id)
        if pick < 0.9:
            return Rollback(plugin=id)
        if pick < 0.93:
            return Remove(plugin=id)
        if pick < 0.98:
            return PutRoute(route=RouteSpec(name=f"r{int(pick * 1000) % 3}", upstream="u"))
        return DeleteRoute(name="r0")

    async def _browse(self) -> None:
        """Requests at random moments, a burst now and then, a few long ones."""
        world = self.world
        while not world.over():
            await asyncio.sleep(self.random.random() * 5)
            long, burst = self.random.random() < 0.1, self.random.random() < 0.2
            if world.over():
                return
            for _ in range(6 if burst else 1):
                self._request(self.random.random() * (8.0 if long else 0.05))

    def _request(self, seconds: float) -> None:
        world = self.world
        workers = [
            w for w in world.workers.values() if w.plane is not None and not w.plane.draining
        ]
        if not workers:
            return
        worker = self.random.choice(workers)
        request = Request(number=len(world.requests), seconds=seconds, worker=worker)
        world.requests.append(request)
        world.run_in(worker.process, worker.plane.table.run(request), f"request {request.number}")

    async def _trouble(self) -> None:
        """Kills at random moments."""
        world = self.world
        while not world.over():
            await asyncio.sleep(self.random.random() * 20)
            if world.over():
                return
            if self.random.random() < 0.4:
                world.kill_supervisor()
            elif world.workers:
                world.kill_worker(self.random.choice(list(world.workers.values())))

    # The end --------------------------------------------------------------------------------

    def at_peace(self) -> bool:
        """Whether everything has been done and nothing more will happen."""
        return not self.unrest()

    def unrest(self) -> str:
        """Say what is still to come."""
        world, coordinator = self.world, self.world.coordinator
        if coordinator is None:
            return "no supervisor"
        if not self.asked_all:
            return "the operator has more to ask"
        left = [o.id for o in world.disk.operations.values() if not o.finished]
        if left or coordinator.ledger.unconcluded():
            return f"operations {left}"
        if len(world.workers) != world.size or len(coordinator.roster.ready()) != world.size:
            return "workers are missing"
        waiting = [r.number for r in world.requests if not r.answers and not r.lost]
        if waiting:
            return f"requests {waiting}"
        if bad := self._condemned():
            return f"{bad} is bad and was not rolled back"
        for worker in world.workers.values():
            found = self._slots(worker)
            if found:
                return found
        return ""

    def _condemned(self) -> str:
        """Name a plugin that a worker has found bad, and that nobody has rolled back."""
        world, disk = self.world, self.world.disk
        desired, probation = world.coordinator.desired, world.coordinator.probation
        for worker in world.workers.values():
            for id, watched in worker.agent.caretaker.watches.items():
                spec = desired.plugins.get(id)
                if not watched.watch.verdict().bad or spec is None or not spec.enabled:
                    continue
                revision = probation.introduced(desired, id)
                if spec.instance != watched.instance or revision is None:
                    continue
                key = f"roll back {revision.operation} {id}"
                cause = disk.operations[revision.operation]
                tried = [o for o in disk.operations.values() if o.idempotency_key == key]
                refused = any(
                    topic == "plugin.rollback-refused"
                    and (data["plugin"], data["operation"]) == (id, cause.id)
                    for topic, data in world.published
                )
                if not tried and not refused and not getattr(cause.change, "cause", ""):
                    return str(id)
        return ""

    def _slots(self, worker: Worker) -> str:
        applier, desired = (
            worker.agent.applier,
            self.world.disk.revisions.get(self.world.disk.committed),
        )
        wanted = desired.desired.enabled() if desired else {}
        for slot in applier.slots:
            if slot.draining or slot.changing:
                return f"{worker.name} {slot!r} is changing"
        for id, spec in wanted.items():
            if worker.agent.caretaker.quarantined(id):
                continue
            if spec.version in (BAD_HOOK,) and worker.agent.caretaker.watches.get(id) is not None:
                watch = worker.agent.caretaker.watches[id].watch.verdict()
                if watch.pending:
                    return f"{worker.name} {id} is watched"
            if applier.instance(id) != spec.instance:
                return f"{worker.name} {id} is {applier.instance(id)}, not {spec.instance}"
        return ""

    def judge(self) -> None:
        """Check what must hold when all is over."""
        world, disk = self.world, self.world.disk
        desired = world.coordinator.desired if world.coordinator else None
        world.check(desired is not None and desired.revision == disk.committed, "another revision")
        self._judge_memory()
        for worker in world.workers.values():
            self._judge_worker(worker)
        for request in world.requests:
            fine = request.answers == 1 or (request.lost and not request.answers)
            world.check(fine, f"request {request.number} was answered {request.answers} times")

    def _judge_memory(self) -> None:
        """Nothing acknowledged is lost."""
        world, disk = self.world, self.world.disk
        for id, change in self.accepted.items():
            stored = disk.operations.get(id)
            world.check(stored is not None and stored.change == change, f"{id} is lost")
        for id, state in self.finished.items():
            now = disk.operations[id].state
            later = state is OperationState.SUCCEEDED and now is OperationState.ROLLED_BACK
            world.check(now is state or later, f"{id} was {state} and is {now}")
        for number in range(1, disk.committed + 1):
            world.check(number in disk.revisions, f"revision {number} is lost")
            for id, spec in disk.revisions[number].desired.plugins.items():
                kept = {v.version: v.config for v in disk.configs.get(id, ())}
                world.check(kept.get(spec.config_version) == spec.config, f"{id}: config is lost")
        self._judge_pins()
        for operation in disk.operations.values():
            world.check(operation.concluded, f"{operation.id} was never concluded")
            silent = [s.worker for s in operation.steps.values() if s.detail == SILENT]
            world.check(not silent, f"{operation.id} ended before {silent}")
            if operation.receipt is not None:
                dropped = operation.receipt.totals.dropped
                world.check(dropped == 0, f"{operation.id} has dropped {dropped} requests")

    def _judge_pins(self) -> None:
        """What is pinned is not moved to another version, and not taken away."""
        revisions = self.world.disk.revisions
        for number in range(2, self.world.disk.committed + 1):
            now = revisions[number].desired.plugins
            for id, before in revisions[number - 1].desired.plugins.items():
                kept = before.pin is None or (id in now and now[id].digest == before.digest)
                self.world.check(kept, f"{id} was pinned, and moved in revision {number}")

    def _judge_worker(self, worker: Worker) -> None:
        world, disk = self.world, self.world.disk
        applier = worker.agent.applier
        world.check(
            applier.desired.revision == disk.committed == worker.plane.table.revision,
            f"{worker.name} is at {applier.desired.revision}, committed is {disk.committed}",
        )
        wanted = applier.desired.enabled()
        current = {s.plugin: s.current.instance for s in applier.slots if s.current is not None}
        world.check(set(current) <= set(wanted), f"{worker.name} runs what nobody wants")
        for plugin, instance in current.items():
            runs = getattr(getattr(instance, "_instance", None), "runtime", "")
            wants = wanted[plugin].runtime_of(FACTS[wanted[plugin].digest].manifest)
            world.check(runs == wants, f"{worker.name} runs {plugin} by {runs}, not by {wants}")
        held = {id(getattr(instance, "_instance", None)) for instance in current.values()}
        for instance in worker.instances:
            if id(instance) in held:
                world.check(instance.running, f"{instance!r} is current and does not run")
            elif instance.starts:
                world.check(instance.stops == 1, f"{instance!r} was stopped {instance.stops} times")
        for slot in applier.slots:
            state = SlotState.ACTIVE if slot.current else None
            world.check(state is None or slot.state is state, f"{slot!r} has a current one")
