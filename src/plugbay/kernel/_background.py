"""The background tasks of one generation of a plugin."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    Failed = Callable[[asyncio.Task[None], BaseException], None]

STOP_GRACE = 2.0
"""Seconds that cancelled background tasks get to end."""


class Background:
    """Runs tasks until they end or `close` ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(self._tasks)

    def spawn(
        self, work: Coroutine[Any, Any, None], failed: Failed, *, name: str
    ) -> asyncio.Task[None]:
        """Run `work` in a task of its own; `failed` hears of what it raises."""
        # Whoever hears of it is not kept here: a host and its tasks would keep each other alive.
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, failed))
        return task

    async def close(self) -> None:
        """Cancel the tasks and wait until they have ended, for a moment."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_GRACE)

    def _ended(self, failed: Failed, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            failed(task, error)
