"""A world of the simulation in which nothing goes wrong by itself, for stories."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.simulation.world import Request, World

from plugbay.control import Enable, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Quiet:
    """A world where nothing goes wrong by itself."""

    def __init__(self) -> None:
        self.world = World(1)
        self.world.size = 2
        self.world.chances = dict.fromkeys(self.world.chances, 0.0)
        self.world.start_supervisor()

    def tell(self, story: Callable[[], Coroutine[Any, Any, Any]], seconds: float = 300) -> Any:
        """Run a story in the supervisor's world; what it raises is raised here."""
        ended: list[asyncio.Task[Any]] = []
        world = self.world

        async def whole() -> Any:
            while self.coordinator is None:  # noqa: ASYNC110 -- virtual time, and nobody to tell
                await asyncio.sleep(0.01)
            await self.coordinator.roster.until(lambda: len(self.ready()) == world.size, 20)
            return await story()

        ended.append(world.loop.create_task(whole()))
        assert world.loop.run_until(ended[0].done, world.loop.time() + seconds), "it never ended"
        return ended[0].result()

    @property
    def coordinator(self) -> Any:
        return self.world.coordinator

    def ready(self) -> list[Any]:
        return list(self.coordinator.roster.ready())

    async def do(self, change: Any, **named: Any) -> Operation:
        operation = await self.coordinator.submit(change, actor="me", **named)
        ended = await self.coordinator.wait(operation.id, timeout=100)
        assert isinstance(ended, Operation)
        return ended

    def worker(self, name: str = "worker-0") -> Any:
        return next(w for w in self.world.workers.values() if w.name == name)

    def send(self, worker: Any, seconds: float = 0.0) -> Request:
        request = Request(number=len(self.world.requests), seconds=seconds, worker=worker)
        self.world.requests.append(request)
        self.world.run_in(worker.process, worker.plane.table.run(request), "request")
        return request

    def unanswered(self) -> list[Request]:
        return [request for request in self.world.requests if not request.answers]

    def strike(self, kind: str, chance: float = 1.0) -> None:
        self.world.chances[kind] = chance


BASE = Enable(plugin="base", digest="base-1.0", watch=5.0)
