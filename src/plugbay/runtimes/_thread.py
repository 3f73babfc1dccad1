"""A plugin is imported in a thread of its own, so that the event loop serves on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Interrupted(BaseException):
    """Thrown into a thread whose result nobody waits for any more."""


class _Work(Generic[T]):
    """One call in one daemon thread: a hanging one must not hold up the end of the process.

    `ended` only tells that the call has ended: the event loop keeps a future for a step longer
    than its result may live.
    """

    def __init__(self, work: Callable[[], T], discard: Callable[[T], None]) -> None:
        self._work, self._discard = work, discard
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._running, self._wanted = True, True
        self._results: list[T] = []
        self._failure: BaseException | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def run(self) -> None:
        """Call it; in the thread."""
        with contextlib.suppress(Interrupted):  # one that comes after the work has ended
            self._run()

    def take(self) -> T:
        """Return the result or raise the failure, once, after `ended`."""
        if self._failure is None:
            return self._results.pop()
        failure, self._failure = self._failure, None
        try:
            raise failure
        finally:
            del failure  # or its traceback and this frame would keep each other alive

    def abandon(self, thread: threading.Thread) -> None:
        """Interrupt the thread; a result that comes after all is discarded."""
        import ctypes  # hardly ever needed

        with self._lock:
            self._wanted = False
            if self._running and thread.ident is not None:
                target = ctypes.c_ulong(thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(Interrupted))
        if not self._running:
            self._undo()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is awaited
            self._failure = error
        with self._lock:
            self._running = False
            wanted = self._wanted
        if wanted:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                self._loop.call_soon_threadsafe(self._tell)
        else:
            self._undo()

    def _tell(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _undo(self) -> None:
        while self._results:
            self._discard(self._results.pop())


async def in_own_thread(work: Callable[[], T], discard: Callable[[T], None], *, name: str) -> T:
    """Return what `work` returns, called in a new daemon thread; raise what it raises.

    If this is cancelled, the thread is interrupted (Python code ends, a blocking call in C goes
    on until it returns), and a result that comes after all is given to `discard`.
    """
    job = _Work(work, discard)
    thread = threading.Thread(target=job.run, name=name, daemon=True)
    thread.start()
    try:
        await job.ended
    except asyncio.CancelledError:
        job.abandon(thread)
        raise
    return job.take()
