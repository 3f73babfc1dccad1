"""An event loop with virtual time, no I/O and no threads; a process in it can be killed -9."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Process:
    """What a kill -9 ends: no callback that belongs to it runs any more."""

    __slots__ = ("alive", "name", "number")

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.alive = name, number, True


OUTSIDE = Process("outside", 0)
PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process", default=OUTSIDE)


class Handle:
    """A scheduled callback."""

    __slots__ = ("_cancelled", "args", "callback", "context", "due")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Any, due: float
    ) -> None:
        self.callback, self.args, self.context, self.due = callback, args, context, due
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self.args = ()

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self.due


class SimLoop(asyncio.AbstractEventLoop):
    """Ready callbacks run in the order in which they became ready, as asyncio promises; timers
    that are due at the same moment run in a seeded order, which asyncio does not promise."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._now = 0.0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, float, int, Handle]] = []
        self._count = itertools.count()
        self._closed = self._running = False
        self.steps = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self.failures: list[str] = []

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        handle = Handle(
            callback, args, contextvars.copy_context() if context is None else context, 0.0
        )
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        handle = Handle(
            callback, args, contextvars.copy_context() if context is None else context, when
        )
        if not self._closed:
            entry = (when, self._random(), next(self._count), handle)
            heapq.heappush(self._timers, entry)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        if self._closed:
            coro.close()
            raise RuntimeError("this world has ended")
        task = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        self.tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._closed or not PROCESS.get().alive or "destroyed" in context["message"]:
            return
        self.failures.append(f"{context['message']}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def call_soon_threadsafe(self, *args: Any, **named: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("threads have no place in the simulation")

    def run_in_executor(self, *args: Any, **named: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("threads have no place in the simulation")

    def run_until(self, done: Callable[[], bool], deadline: float) -> bool:
        """Run until `done`; False if that is not so at `deadline`, or nothing is left to run."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        self._running = True
        try:
            while not done():
                if not self._ready and not self._advance(deadline):
                    return False
                self._turn()
        finally:
            self._running = False
            asyncio._set_running_loop(before)
        return True

    def close(self) -> None:
        """Throw away what is left, without running any of it."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # what they still ask for, this loop refuses
        try:
            for task in self.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                if not task.done():
                    with contextlib.suppress(BaseException):  # a dead process has no opinion
                        task.get_coro().close()
        finally:
            asyncio._set_running_loop(before)
            self.tasks.clear()

    def _advance(self, deadline: float) -> bool:
        timers, ready = self._timers, self._ready
        while timers and timers[0][3]._cancelled:
            heapq.heappop(timers)
        if not timers or timers[0][0] > deadline:
            return False
        now = self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[3])
        return True

    def _turn(self) -> None:
        ready = self._ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled or not handle.context.get(PROCESS, OUTSIDE).alive:
                continue
            self.steps += 1
            handle.context.run(handle.callback, *handle.args)
