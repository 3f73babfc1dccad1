"""A plugin is imported in a thread of its own, so that the event loop serves on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Interrupted(BaseException):
    """Thrown into a thread whose result nobody waits for any more."""


class _Work(Generic[T]):
    """One call in one daemon thread: a hanging one must not hold up the end of the process."""

    def __init__(
        self, work: Callable[[], T], discard: Callable[[T], None], future: asyncio.Future[T]
    ) -> None:
        self._work, self._discard, self._future = work, discard, future
        self._loop = future.get_loop()
        self._lock = threading.Lock()
        self._running, self._wanted = True, True

    def run(self) -> None:
        with contextlib.suppress(Interrupted):  # one that comes after the work has ended
            self._run()

    def _run(self) -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is awaited
            failure = error
        with self._lock:
            self._running = False
            wanted = self._wanted
        if not wanted and failure is None:
            self._discard(result)  # type: ignore[arg-type] # there is one if nothing was raised
        elif wanted:
            self._post(result, failure)

    def _post(self, result: T | None, failure: BaseException | None) -> None:
        def deliver() -> None:
            if self._future.cancelled():
                if failure is None:
                    self._discard(result)  # type: ignore[arg-type] # as above
            elif failure is not None:
                self._future.set_exception(failure)
            else:
                self._future.set_result(result)  # type: ignore[arg-type] # as above

        try:
            self._loop.call_soon_threadsafe(deliver)
        except RuntimeError:
            return  # the loop has ended: nobody is left to be told

    def abandon(self, thread: threading.Thread) -> None:
        with self._lock:
            self._wanted = False
            if self._running and thread.ident is not None:
                target = ctypes.c_ulong(thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(Interrupted))


async def in_own_thread(work: Callable[[], T], discard: Callable[[T], None], *, name: str) -> T:
    """Return what `work` returns, called in a new daemon thread; raise what it raises.

    If this is cancelled, the thread is interrupted (Python code ends, a blocking call in C goes
    on until it returns), and a result that comes after all is given to `discard`.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    job = _Work(work, discard, future)
    thread = threading.Thread(target=job.run, name=name, daemon=True)
    thread.start()
    try:
        return await future
    except asyncio.CancelledError:
        job.abandon(thread)
        raise
