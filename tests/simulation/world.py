"""One world: a supervisor, its workers, clients and an operator; and a seed's worth of trouble."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation import net, plugins
from tests.simulation.disk import Disk, MemoryStore
from tests.simulation.loop import PROCESS, Process, SimLoop
from tests.simulation.plane import Plane

from plugbay.control import (
    Agent,
    CarePolicy,
    Coordinator,
    Hello,
    Identity,
    Loader,
    OperationState,
    Patience,
    PoolPolicy,
    WorkerPool,
)
from plugbay.control._messages import Prepare, Prepared
from plugbay.kernel import HealthPolicy

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.simulation.plane import Chain

    from plugbay.control import Message, Revision

LIMIT = 3600.0
"""Virtual seconds after which a world that has not settled never will."""


class Violation(Exception):
    """An invariant is broken."""


@dataclass(slots=True, eq=False)
class Request:
    """One request of a client."""

    number: int
    seconds: float
    answers: int = 0
    cancelled: bool = False
    lost: bool = False
    worker: Any = None


@dataclass(slots=True, eq=False)
class Worker:
    """One process of a worker; implements the pool's `Process`."""

    name: str
    pid: int
    process: Process
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    agent: Any = None
    plane: Any = None
    link: Any = None
    instances: list[Any] = field(default_factory=list)
    status: int = 0

    world: Any = None

    async def wait(self) -> int:
        await self.ended.wait()
        return self.status

    def kill(self) -> None:
        self.world.kill_worker(self)


class Clock:
    """Virtual time."""

    def __init__(self, loop: SimLoop) -> None:
        self.monotonic = loop.time
        self.time = loop.time


class World:
    """Everything that one seed decides."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 -- a seeded one is the point
        # What it leaves abstract is I/O: a call of it is a call of something that has no place.
        self.loop = SimLoop(self.random.random)  # type: ignore[abstract]
        self.clock = Clock(self.loop)
        self.disk = Disk()
        self.lines: list[tuple[object, ...]] = []
        self._verbose = verbose
        self.healed = False
        self.chances = self._chances()
        self.violations: list[str] = []
        self.workers: dict[int, Worker] = {}
        """Those that are alive, by pid."""
        self.started: dict[int, Worker] = {}
        self.asked: dict[str, set[str]] = {}
        """Who was asked to prepare, by ticket; and who has said that it did."""
        self.said: dict[str, set[str]] = {}
        self.requests: list[Request] = []
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.size = 1 + int(self.random.random() * 3)
        self.coordinator: Any = None
        self.pool: Any = None
        self.supervisor: Process | None = None
        self._pids = 100
        self._counted = 0
        self.kills = 0

    # Chance ---------------------------------------------------------------------------------

    def _chances(self) -> dict[str, float]:
        """Each seed has its own kinds of trouble, some none at all."""
        names = {
            "break": 0.01, "duplicate": 0.1, "write-fails": 0.05, "write-fails-late": 0.05,
            "crash-before-write": 0.03, "crash-after-write": 0.03, "start-fails": 0.1,
            "stop-fails": 0.1, "unhealthy": 0.05, "restore-fails": 0.2, "load-fails": 0.1,
            "kill-receiver": 0.01, "kill-sender": 0.005,
        }  # fmt: skip
        drawn = {
            name: p * 2 * self.random.random() if self.random.random() < 0.4 else 0.0
            for name, p in names.items()
        }
        return {**drawn, "build-fails": 0.3}

    def strike(self, kind: str) -> bool:
        """Whether this trouble happens now."""
        chance = self.chances[kind]
        return bool(chance) and not self.healed and self.random.random() < chance

    def over(self) -> bool:
        """Whether the time of trouble is over."""
        return self.healed

    def latency(self) -> float:
        return 0.0005 + 0.01 * self.random.random() ** 4

    # Looking --------------------------------------------------------------------------------

    def trace(self, *what: object) -> None:
        self.lines.append((self.loop.time(), *what))
        if self._verbose:
            print(f"{self.loop.time():10.6f}", *what)  # noqa: T201 -- asked for

    def hash(self) -> str:
        """Return what tells one run from another: the same seed always has the same."""
        return hashlib.sha256(repr(self.lines).encode()).hexdigest()[:16]

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            self.violations.append(f"{self.loop.time():.3f} {what}")

    def count(self) -> int:
        """Return a number that is not used twice in this world."""
        self._counted += 1
        return self._counted

    # Processes ------------------------------------------------------------------------------

    def run_in(self, process: Process, work: Coroutine[Any, Any, Any], name: str) -> None:
        context = contextvars.Context()
        context.run(PROCESS.set, process)
        task = self.loop.create_task(work, name=name, context=context)
        task.add_done_callback(self._ended, context=context)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.violations.append(f"{task.get_name()} raised {task.exception()!r}")

    def start_supervisor(self) -> None:
        self._pids += 1
        self.supervisor = process = Process("supervisor", self._pids)
        self.trace("start", "supervisor", self._pids)
        self.run_in(process, self._supervise(), "supervisor")

    async def _supervise(self) -> None:
        coordinator = Coordinator(
            MemoryStore(self, self.disk),
            plugins.Catalog(self),
            clock=self.clock,
            randomness=self.random,
            patience=Patience(workers=10, prepare=10, answer=5, drain=20),
            publish=lambda topic, data: self.published.append((topic, data)),
        )
        self.pool = WorkerPool(
            Launcher(self),
            coordinator,
            clock=self.clock,
            randomness=self.random,
            policy=PoolPolicy(adopt=1.0),
        )
        await coordinator.start()
        self.pool.start(self.size)
        self.coordinator = coordinator
        await asyncio.Event().wait()

    def kill_supervisor(self) -> None:
        process = self.supervisor
        if process is None:
            return
        self.trace("kill", "supervisor", process.number)
        process.alive = False
        self.supervisor = self.coordinator = self.pool = None
        for worker in self.workers.values():
            if worker.link is not None:
                worker.link.peer.close()
        nowhere = contextvars.Context()
        self.loop.call_later(
            0.05 + self.random.random() * 3, self.start_supervisor, context=nowhere
        )

    def start_worker(self, name: str) -> Worker:
        self._pids += 1
        process = Process(name, self._pids)
        worker = Worker(name=name, pid=self._pids, process=process, world=self)
        self.workers[worker.pid] = self.started[worker.pid] = worker
        self.trace("start", name, worker.pid)
        self.run_in(process, self._work(worker), name)
        return worker

    async def _work(self, worker: Worker) -> None:
        worker.plane = Plane(self, worker)
        runtimes = {name: plugins.Runtime(self, worker, name) for name in ("python", "process")}
        loader = Loader(runtimes, plugins.Hosts(), self.clock)
        worker.agent = Agent(
            Identity(worker=worker.name, pid=worker.pid, boot=f"boot-{worker.pid}"),
            loader=loader,
            plane=worker.plane,
            clock=self.clock,
            randomness=self.random,
            policy=CarePolicy(health=HealthPolicy(interval=10.0, failures=2), look=1.0),
        )

        async def connect() -> Any:
            await asyncio.sleep(self.latency())
            if self.coordinator is None:
                raise ConnectionRefusedError
            ours, theirs = net.link(self, worker.name)
            worker.link = ours
            supervisor = self.supervisor
            if supervisor is not None:
                self.run_in(supervisor, self.coordinator.attach(theirs), f"serve {worker.name}")
            return ours

        await worker.agent.run(connect)
        self._exit(worker, 0)

    def kill_worker(self, worker: Worker) -> None:
        if worker.process.alive:
            self.trace("kill", worker.name, worker.pid)
            self.kills += 1
            self._exit(worker, -9)

    def _exit(self, worker: Worker, status: int) -> None:
        worker.process.alive = False
        worker.status = status
        worker.ended.set()
        del self.workers[worker.pid]
        if worker.link is not None:
            worker.link.close()
        for request in self.requests:
            if request.worker is worker and not request.answers:
                request.lost = True

    # What the parts tell --------------------------------------------------------------------

    def delivered(self, end: net.End, message: Message) -> None:
        """A message has arrived: a good moment for a crash."""
        if self.strike("kill-receiver"):
            self._kill_at(end.name)
        elif self.strike("kill-sender"):
            self._kill_at(end.peer.name)

    def _kill_at(self, end: str) -> None:
        if end.startswith(">"):
            self.kill_supervisor()
            return
        for worker in tuple(self.workers.values()):
            if worker.name == end[:-1]:
                self.kill_worker(worker)

    def sent(self, end: net.End, message: Message) -> None:
        """Watch the protocol go by."""
        if isinstance(message, Prepare) and not message.catch_up:
            self.asked.setdefault(message.ticket, set()).add(end.name[1:])
            preparing = [
                operation.id
                for operation in self.coordinator.ledger.unfinished()
                if operation.state is OperationState.PREPARING
            ]
            self.check(len(preparing) == 1, f"changes at the same time: {preparing}")
        elif isinstance(message, Prepared):
            self.said.setdefault(message.ticket, set()).add(end.name[:-1])

    def committed(self, revision: Revision) -> None:
        """The commit point: everybody who was asked must have prepared by now."""
        self.trace("commit", "store", revision.desired.revision)
        tickets = [ticket for ticket in self.asked if ticket.startswith(f"{revision.operation}.")]
        missing = (
            self.asked[tickets[-1]] - self.said.get(tickets[-1], set()) if tickets else {"all"}
        )
        self.check(not missing, f"{revision.operation} was committed without {sorted(missing)}")

    def installed(self, worker: Worker, table: Chain) -> None:
        self.check(
            table.revision <= self.disk.committed,
            f"{worker.name} serves revision {table.revision}, committed is {self.disk.committed}",
        )

    def passed(self, instance: Any) -> None:
        """A request has gone through to its end, and was not cancelled."""
        failures = self.chances["unhealthy"]  # what is unhealthy is stopped under its requests
        self.check(failures > 0 or instance.stops == 0, f"{instance!r} was stopped under a request")

    def called_hook(self, instance: Any) -> None:
        self.check(instance.starts == 1, f"{instance!r} got a request before it was started")
        self.check(instance.stops == 0, f"{instance!r} got a request after it was stopped")

    def answered(self, request: Request, *, cancelled: bool) -> None:
        request.answers += 1
        request.cancelled = cancelled


class Launcher:
    """Implements `Launcher`."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def spawn(self, worker: str, index: int) -> Worker:
        await asyncio.sleep(self._world.latency())
        return self._world.start_worker(worker)

    def adopt(self, hello: Hello) -> Worker:
        return self._world.started[hello.pid]  # it may have died since
