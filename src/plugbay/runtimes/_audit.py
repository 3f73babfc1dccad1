"""Looks whether a stopped generation has gone: objects, tasks, threads and descriptors."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

from plugbay.runtimes._alias import PREFIX, belongs, own_name
from plugbay.runtimes._frames import current_frames, modules_of
from plugbay.runtimes._holder import name_holder
from plugbay.runtimes._leaks import Leak, LeakReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from plugbay.runtimes._collector import Collector
    from plugbay.runtimes._leaks import Remains


def audit(remains: Remains, collector: Collector, *, exact: bool = False) -> LeakReport:
    """Return what is left of a generation; call it when `stop` has returned.

    The garbage collector runs only if something lives that might be garbage: it stops the
    process for as long as it runs (`gc.freeze` before the first plugin is loaded shortens it).
    `exact` counts every descriptor that appeared: only where nothing else goes on.
    """
    tasks = list(_tasks(remains.alias))  # before the collector takes the forgotten ones
    if not remains.gone:
        collector.collect()
    leaks = [*tasks, *_threads(remains), *_descriptors(remains, exact=exact)]
    leaks += [Leak("module", own_name(name)) for name in _left_modules(remains.alias)]
    alive = not remains.gone
    if alive and (leak := _object(remains)):
        leaks.append(leak)
    return LeakReport(remains.plugin, remains.generation, alive, tuple(leaks))


def _object(remains: Remains) -> Leak | None:
    """Name one holder: all of a generation hang together, so the others would say the same."""
    for kind, name, reference in remains.objects:
        value = reference()
        if value is not None:
            return Leak(kind, name, name_holder(value, remains.alias))
    return None


def _left_modules(alias: str) -> list[str]:
    return [name for name in tuple(sys.modules) if belongs(name, alias)]


def _tasks(alias: str) -> Iterator[Leak]:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return  # no loop runs here
    for task in tasks:
        if any(belongs(frame.f_globals.get("__name__"), alias) for frame in _awaits(task)):
            yield Leak("task", own_name(f"{task.get_name()} in {_location(task)}"))


def _awaits(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task's coroutine and of what it awaits."""
    waiting: object = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)


def _location(task: asyncio.Task[Any]) -> str:
    frames = list(_awaits(task))
    code = frames[-1].f_code
    return f"{code.co_qualname}, line {frames[-1].f_lineno}"


def _threads(remains: Remains) -> Iterator[Leak]:
    frames = current_frames()
    for thread in threading.enumerate():
        stack = list(modules_of(frames.get(thread.ident or 0)))
        names = [getattr(thread, "_target", None), type(thread)]
        own = any(belongs(getattr(name, "__module__", None), remains.alias) for name in names)
        if own or any(belongs(name, remains.alias) for name in stack):
            yield Leak("thread", thread.name)
        elif thread.native_id in remains.appeared.threads and not _others(thread, stack):
            yield Leak("thread", f"{thread.name}, which appeared while it started")


def _others(thread: threading.Thread, stack: list[str]) -> bool:
    """Return whether a thread is the event loop's, the gateway's or another plugin's."""
    pool = thread.name.startswith("asyncio_")
    return pool or any(name.startswith((PREFIX, "plugbay.")) for name in stack)


def _descriptors(remains: Remains, *, exact: bool) -> Iterator[Leak]:
    for number, target in remains.appeared.still_open(exact=exact):
        yield Leak("descriptor", f"{number} ({target}), which appeared while it started")
