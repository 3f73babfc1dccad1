"""The border to a plugin's own code: whatever it does, the caller goes on in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

_T = TypeVar("_T")


class Culprit(Exception):
    """What a plugin's step did wrong, worded to follow the step's name; `__cause__` is why."""


class Guard:
    """Runs steps of a plugin as tasks of their own, each under a deadline.

    A step that is late is cancelled; one that ignores even that is left behind after `grace`
    seconds, so that it cannot hold up its caller. `abandoned` keeps those until they end.
    """

    def __init__(self, *, grace: float = 1.0) -> None:
        self._grace = grace
        self.abandoned: set[asyncio.Task[Any]] = set()

    async def run(self, step: Callable[[], Awaitable[_T]], seconds: float) -> _T:
        """Return the step's result.

        Raises `Culprit` if it raised (even `SystemExit`), cancelled itself, or was late.
        """
        task = asyncio.ensure_future(_contained(step))
        late = True
        try:
            await asyncio.wait((task,), timeout=seconds)
            late = not task.done()
        finally:
            if not task.done():
                await self._end(task)
        if late:
            raise Culprit(f"took longer than {seconds:g} s")
        if task.cancelled():
            raise Culprit("cancelled itself")
        value, cause = task.result()
        if cause is not None:
            raise Culprit(f"raised {type(cause).__name__}: {cause}") from cause
        return cast("_T", value)

    async def _end(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self.abandoned.add(task)
        task.add_done_callback(self.abandoned.discard)
        await asyncio.wait((task,), timeout=self._grace)


async def to_the_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work` to its end even if the caller is cancelled meanwhile; then raise that."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # seen: the cancellation is what the caller must hear of
    try:
        raise cancelled
    finally:
        del cancelled  # or its traceback and this frame would keep each other alive


async def _contained(
    step: Callable[[], Awaitable[_T]],
) -> tuple[_T | None, BaseException | None]:
    """Turn what a step raises into a value: a task that raises `SystemExit` ends the loop."""
    try:
        return await step(), None
    except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt):
        raise
    except BaseException as cause:  # noqa: BLE001 -- the plugin border: it is raised by `run`
        return None, cause
