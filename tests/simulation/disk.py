"""The store in memory: durable across crashes, and failing before or after the effect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.control import Desired, Entry, Operation, Quarantined, Revision
from plugbay.kernel import ConfigVersion, Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.world import World


class Disk:
    """What survives; one for a whole run."""

    def __init__(self) -> None:
        self.revisions: dict[int, Revision] = {}
        self.committed = 0
        self.operations: dict[str, Operation] = {}
        self.configs: dict[str, list[ConfigVersion]] = {}
        self.marks: dict[tuple[str, str], Quarantined] = {}
        self.environments: set[str] = set()


class MemoryStore:
    """Implements `Store` on a `Disk`, for one process of the supervisor."""

    def __init__(self, world: World, disk: Disk) -> None:
        self._world, self.disk = world, disk
        self._turn = asyncio.Lock()

    def committed(self) -> Desired:
        found = self.disk.revisions.get(self.disk.committed)
        return found.desired if found else Desired()

    def revision(self, number: int) -> Revision | None:
        return self.disk.revisions.get(number)

    def operation(self, id: str) -> Operation | None:
        return self.disk.operations.get(id)

    def operations(self, *, limit: int = 100, before: int = 0) -> list[Operation]:
        found = sorted(self.disk.operations.values(), key=lambda o: -o.sequence)
        return [o for o in found if not before or o.sequence < before][:limit]

    def by_key(self, actor: str, key: str) -> Operation | None:
        for operation in self.disk.operations.values():
            if (operation.actor, operation.idempotency_key) == (actor, key):
                return operation
        return None

    def unfinished(self) -> list[Operation]:
        left = [o for o in self.disk.operations.values() if not o.concluded]
        return sorted(left, key=lambda o: o.sequence)

    def configs(self, plugin: str) -> list[ConfigVersion]:
        return list(self.disk.configs.get(plugin, ()))

    def quarantined(self) -> list[Quarantined]:
        return list(self.disk.marks.values())

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        return []

    async def save(self, operation: Operation) -> None:
        def work() -> None:
            self.disk.operations[operation.id] = operation

        await self._write(work)

    async def commit(
        self, revision: Revision, operation: Operation, configs: Sequence[tuple[str, ConfigVersion]]
    ) -> None:
        disk, number = self.disk, revision.desired.revision

        def work() -> None:
            if disk.committed != number - 1:
                raise Conflict(f"revision {number} cannot follow the committed {disk.committed}")
            disk.revisions[number] = revision
            disk.committed = number
            for id, version in configs:
                disk.configs.setdefault(id, []).append(version)
            touched = {key.removeprefix("plugins/") for key in revision.touched}
            for key in [key for key in disk.marks if key[0] in touched]:
                del disk.marks[key]
            disk.operations[operation.id] = operation
            self._world.committed(revision)

        await self._write(work)

    async def quarantine(self, mark: Quarantined) -> None:
        def work() -> None:
            self.disk.marks[mark.plugin, mark.worker] = mark

        await self._write(work)

    async def record(self, entries: Sequence[Entry]) -> None:
        return None

    async def _write(self, work: Callable[[], None]) -> None:
        world = self._world
        async with self._turn:
            await asyncio.sleep(world.latency())
            if world.strike("write-fails"):
                raise Unavailable("the disk is full")
            if world.strike("crash-before-write"):
                world.kill_supervisor()
                await asyncio.sleep(0)
            work()
            if world.strike("crash-after-write"):
                world.kill_supervisor()
                await asyncio.sleep(0)
            if world.strike("write-fails-late"):
                raise Unavailable("the disk has not answered")
