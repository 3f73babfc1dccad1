"""A data plane without sockets: tables whose one chain holds the generations for its requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.world import Request, World

    from plugbay.control import Desired, Placed
    from plugbay.kernel import Generation


class Chain:
    """Implements `Holder` and `Table`."""

    def __init__(self, plane: Plane, revision: int, placed: Sequence[Placed]) -> None:
        self.plane, self.revision = plane, revision
        self.number = plane.world.count()
        self.in_flight = 0
        self.tally = Tally()
        self.retired = False
        self._parked = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._inside: set[asyncio.Task[Any]] = set()
        self.generations = [p.generation for p in placed if p.generation is not None]
        self.failed = [p.spec.id for p in placed if p.generation is None]
        self._bound = [(g, g.instance, g.vitals) for g in self.generations]
        for generation in self.generations:
            generation.lease(self)

    def __hash__(self) -> int:
        return self.number  # sets of chains are in the same order in every run

    def park(self) -> None:
        self._parked += 1

    def unpark(self) -> None:
        self._parked -= 1
        if not self._parked:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    def cancel(self) -> int:
        inside = tuple(self._inside)
        for task in inside:
            task.cancel()
        return len(inside)

    def retire(self) -> None:
        self.retired = True
        self._look()

    async def run(self, request: Request) -> None:
        """Let a request through; it runs to its end on this chain."""
        if self._parked:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
            await self.plane.table.run(request)
            return
        world = self.plane.world
        world.check(not self.retired, "a request entered a retired chain")
        self.in_flight += 1
        self.tally.entered += 1
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        cancelled = False
        try:
            self._call_hooks()
            await asyncio.sleep(request.seconds)
        except asyncio.CancelledError:
            cancelled = True
        finally:
            self._inside.discard(task)
            self.in_flight -= 1
            self.tally.cancelled += cancelled
            self.tally.finished += not cancelled
            self._look()
        if not cancelled:
            for _, instance, _ in self._bound:
                world.passed(instance.hooks["on_request"].call.__self__)  # type: ignore[union-attr]
        world.answered(request, cancelled=cancelled)

    def _call_hooks(self) -> None:
        for generation, bound, vitals in self._bound:
            instance: Any = bound
            self.plane.world.check(
                generation.instance is bound or generation.instance is None,
                f"{generation.plugin}: a chain is bound to an instance that was replaced",
            )
            self.plane.world.called_hook(instance.hooks["on_request"].call.__self__)
            vitals.calls += 1
            try:
                instance.hooks["on_request"].call()
            except RuntimeError as error:
                vitals.failures += 1
                vitals.last_error = str(error)

    def _look(self) -> None:
        if not self.in_flight:
            for generation in self.generations:
                generation.settled()
            if self.retired:
                generations: list[Generation] = self.generations
                self.generations = []
                for generation in generations:
                    generation.release(self)


class Plane:
    """Implements `Plane`."""

    def __init__(self, world: World, worker: Any) -> None:
        self.world, self.worker = world, worker
        self.table = Chain(self, 0, ())
        self.draining = False

    def build(self, desired: Desired, placed: Sequence[Placed]) -> Chain:
        return Chain(self, desired.revision, placed)

    def install(self, table: Chain) -> None:
        old, self.table = self.table, table
        self.world.trace("install", self.worker.name, table.revision)
        self.world.installed(self.worker, table)
        old.retire()

    async def drain(self, seconds: float) -> int:
        self.draining = True
        return 0
