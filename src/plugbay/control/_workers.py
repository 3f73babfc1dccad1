"""The worker processes: started, replaced when they die, adopted from a supervisor that died."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.control._messages import Drain
from plugbay.control._tasks import Tasks
from plugbay.kernel import Backoff, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.control._coordinator import Coordinator
    from plugbay.control._messages import Hello
    from plugbay.kernel import Clock, Randomness

    Publish = Callable[[str, dict[str, Any]], None]


class Process(Protocol):
    """One worker process."""

    @property
    def pid(self) -> int: ...
    async def wait(self) -> int:
        """Return its exit status once it has ended; -1 if that cannot be known."""
        ...

    def kill(self) -> None:
        """End it now; it may have ended already."""
        ...


class Launcher(Protocol):
    """Starts worker processes."""

    async def spawn(self, worker: str, index: int) -> Process:
        """Start one. Raises `OSError`."""
        ...

    def adopt(self, hello: Hello) -> Process:
        """Return the process that has said hello, whose parent is another."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """In seconds. `adopt` is how long a new supervisor waits for workers of the one before."""

    adopt: float = 3.0
    steady: float = 60.0
    """A worker that has lived so long is started again at once."""
    drain: float = 60.0
    grace: float = 15.0


class WorkerPool:
    """Keeps `size` workers running. Worker `index` is called `worker-<index>`."""

    def __init__(
        self,
        launcher: Launcher,
        coordinator: Coordinator,
        *,
        clock: Clock,
        randomness: Randomness,
        policy: PoolPolicy | None = None,
        publish: Publish = lambda topic, data: None,
    ) -> None:
        self._launcher, self._coordinator = launcher, coordinator
        self._clock, self._policy, self._publish = clock, policy or PoolPolicy(), publish
        self._backoff = Backoff(randomness, first=0.2, ceiling=10.0)
        self._tasks = Tasks()
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, Process] = {}
        self._adopted = asyncio.Event()
        self._expected: set[str] = set()
        self._asked: set[int] = set()
        """Pids of workers that were asked to end."""
        self.restarts = 0
        coordinator.admit = self._admit

    @property
    def processes(self) -> dict[str, int]:
        """The pids of the workers that run, by name."""
        return {name: self._processes[name].pid for name in sorted(self._processes)}

    def start(self, size: int, *, adopt: bool = True) -> None:
        """Adopt the workers that connect within a while, and start the others."""
        for index in range(size):
            self._add(index, adopt=adopt)

    async def scale(self, size: int) -> None:
        """Start more workers, or drain and end those beyond `size`."""
        for index in range(size):
            if _name(index) not in self._keepers:
                self._add(index, adopt=False)
        surplus = [name for name in self._keepers if int(name.rpartition("-")[2]) >= size]
        for name in surplus:
            self._keepers.pop(name).cancel()
        await asyncio.gather(*(self._end(name) for name in surplus))

    async def restart(self, worker: str) -> None:
        """Replace one worker: it drains and ends, then the next one starts. Raises `NotFound`,
        and `Unavailable` if the next one was not up within its deadline."""
        if worker not in self._keepers:
            raise NotFound(f"there is no {worker}")
        old = self._processes.get(worker)
        await self._end(worker)
        deadline = self._policy.drain + self._policy.grace
        up = await self._coordinator.roster.until(lambda: self._is_up(worker, old), deadline)
        if not up:
            raise Unavailable(f"{worker} was not ready again within {deadline:g} s")

    async def roll(self) -> None:
        """Replace all workers, one after the other. Raises `Unavailable`; the rest is left."""
        for worker in sorted(self._keepers):
            await self.restart(worker)

    async def close(self, *, end: bool = True) -> None:
        """Stop keeping the workers. With `end=False` they serve on, for the next supervisor."""
        for keeper in self._keepers.values():
            keeper.cancel()
        self._keepers.clear()
        if end:
            await asyncio.gather(*(self._end(name) for name in tuple(self._processes)))
        await self._tasks.close()

    def _add(self, index: int, *, adopt: bool) -> None:
        name = _name(index)
        if adopt:
            self._expected.add(name)
        keeper = self._tasks.spawn(self._keep(name, index), name=f"keep {name}")
        self._keepers[name] = keeper

    def _admit(self, hello: Hello) -> bool:
        """Whether this process is the one that has the worker's place; it may take a free one."""
        known = self._processes.get(hello.worker)
        if known is None and hello.worker in self._expected:
            self._expected.discard(hello.worker)
            self._processes[hello.worker] = self._launcher.adopt(hello)
            self._adopted.set()
            return True
        return known is not None and known.pid == hello.pid

    async def _keep(self, name: str, index: int) -> None:
        if name in self._expected:
            await self._adoption(name)
        attempt = 0
        while True:
            began = self._clock.monotonic()
            process = self._processes.get(name)
            try:
                if process is None:
                    process = await self._launcher.spawn(name, index)
                    self._processes[name] = process
                status = await process.wait()
            except OSError as error:
                self._publish("worker.not-started", {"worker": name, "detail": str(error)})
            else:
                self._ended(name, process, status)
            lived = self._clock.monotonic() - began
            attempt = 0 if lived >= self._policy.steady else attempt + 1
            if attempt:
                await asyncio.sleep(self._backoff.delay(attempt - 1))
            self.restarts += 1

    async def _adoption(self, name: str) -> None:
        try:
            async with asyncio.timeout(self._policy.adopt):
                while name in self._expected:
                    self._adopted.clear()
                    await self._adopted.wait()
        except TimeoutError:
            self._expected.discard(name)

    def _ended(self, name: str, process: Process, status: int) -> None:
        del self._processes[name]
        data = {"worker": name, "pid": process.pid, "status": status}
        self._publish("worker.ended", data)
        crashed = bool(status) and process.pid not in self._asked
        self._asked.discard(process.pid)
        self._coordinator.gone(name, process.pid, crashed=crashed)

    async def _end(self, name: str) -> None:
        """Have a worker drain and exit; kill it if it does not."""
        process = self._processes.get(name)
        if process is None:
            return
        self._asked.add(process.pid)
        session = self._coordinator.roster.sessions.get(name)
        if session is not None and not session.link.closed:
            session.link.send(Drain(seconds=self._policy.drain))
        else:
            process.kill()
        try:
            async with asyncio.timeout(self._policy.drain + self._policy.grace):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if name not in self._keepers:
            self._processes.pop(name, None)

    def _is_up(self, worker: str, old: Process | None) -> bool:
        process = self._processes.get(worker)
        session = self._coordinator.roster.sessions.get(worker)
        if process is None or process is old or session is None:
            return False
        return session.pid == process.pid and session.ready


def _name(index: int) -> str:
    return f"worker-{index}"
