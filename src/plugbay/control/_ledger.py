"""The operations: durable first, then visible; and whoever waits for one is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.kernel import Backoff, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.control._operation import Operation
    from plugbay.control._store import Store
    from plugbay.kernel import Randomness

    Edit = Callable[[Operation], Operation]

REMEMBERED = 200
"""Finished operations that are kept in memory too."""


class Ledger:
    """All operations, newest states first in memory. `changed` hears of each new state."""

    def __init__(
        self, store: Store, randomness: Randomness, changed: Callable[[Operation], None]
    ) -> None:
        self._store, self._changed = store, changed
        self._backoff = Backoff(randomness, first=0.05, ceiling=5.0)
        self._known = {item.id: item for item in reversed(store.operations(limit=REMEMBERED))}
        self._known |= {item.id: item for item in store.unfinished()}
        self._last = max((item.sequence for item in self._known.values()), default=0)
        self._turn = asyncio.Lock()
        self._waiters: dict[str, list[asyncio.Event]] = {}

    def take_sequence(self) -> int:
        """Return the next sequence number; none is given out twice."""
        self._last += 1
        return self._last

    def get(self, id: str) -> Operation:
        """Return an operation as it is now. Raises `NotFound`."""
        found = self._known.get(id) or self._store.operation(id)
        if found is None:
            raise NotFound(f"there is no operation {id}")
        return found

    def latest(self, *, limit: int = 100, before: int = 0) -> list[Operation]:
        """Return operations, newest first; `before` a sequence number, to page on."""
        stored = self._store.operations(limit=limit, before=before)
        return [self._known.get(item.id, item) for item in stored]

    def by_key(self, actor: str, key: str) -> Operation | None:
        """Return the operation that this actor has submitted with this idempotency key."""
        stored = self._store.by_key(actor, key)
        return self._known.get(stored.id, stored) if stored else None

    def unfinished(self) -> list[Operation]:
        """Return what was not finished, in the order of submission."""
        return [item for item in self.unconcluded() if not item.finished]

    def unconcluded(self) -> list[Operation]:
        """Return what something is to follow for, in the order of submission."""
        left = [item for item in self._known.values() if not item.concluded]
        return sorted(left, key=lambda item: item.sequence)

    async def open(self, operation: Operation) -> Operation:
        """Keep a new operation. Raises `Unavailable`; then it was not taken."""
        try:
            await self._store.save(operation)
        except Unavailable:
            if self._store.operation(operation.id) is None:
                raise
        self._show(operation)
        return operation

    def note(self, id: str, edit: Edit) -> Operation:
        """Change what is seen of an operation; it need not survive a crash."""
        operation = edit(self.get(id))
        self._show(operation)
        return operation

    async def record(self, id: str, edit: Edit) -> Operation:
        """Change an operation durably; nobody sees it before it is. Tries until it can."""
        async with self._turn:
            attempt = 0
            while not await self._saved(edit(self.get(id))):
                await asyncio.sleep(self._backoff.delay(attempt))
                attempt += 1
            return self.note(id, edit)

    async def record_by(
        self, id: str, edit: Edit, write: Callable[[Operation], Awaitable[None]]
    ) -> Operation:
        """Change an operation by one given write. Raises what it raises."""
        async with self._turn:
            await write(edit(self.get(id)))
            return self.note(id, edit)

    async def wait(self, id: str, until: Callable[[Operation], bool], timeout: float) -> Operation:
        """Return the operation once `until` holds, or as it is after `timeout` seconds."""
        event = asyncio.Event()
        self._waiters.setdefault(id, []).append(event)
        try:
            async with asyncio.timeout(timeout):
                while not until(self.get(id)):
                    event.clear()
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters[id].remove(event)
            if not self._waiters[id]:
                del self._waiters[id]
        return self.get(id)

    def wake(self) -> None:
        """Let everybody who waits look again: something outside the operations has changed."""
        for events in self._waiters.values():
            for event in events:
                event.set()

    async def _saved(self, operation: Operation) -> bool:
        try:
            await self._store.save(operation)
        except Unavailable:
            return False
        return True

    def _show(self, operation: Operation) -> None:
        self._known.pop(operation.id, None)
        self._known[operation.id] = operation
        self._forget()
        for event in self._waiters.get(operation.id, ()):
            event.set()
        self._changed(operation)

    def _forget(self) -> None:
        if len(self._known) > REMEMBERED * 2:
            finished = [id for id, item in self._known.items() if item.concluded]
            for id in finished[: len(finished) - REMEMBERED]:
                del self._known[id]
