"""Watches over a process with foreign code in it: it ends, and nothing of it is left behind.

For the child process of a trial only: it forks, and changes the process for good.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
BROKEN = 70
"""The exit code of a process whose own work raised (EX_SOFTWARE)."""


def apart() -> bool:
    """Return whether the children of this process get a process namespace of their own.

    The link is not there before the first of them (pid_namespaces(7)).
    """
    try:
        return os.readlink("/proc/self/ns/pid_for_children") != os.readlink("/proc/self/ns/pid")
    except OSError:
        return True


def supervise(work: Callable[[], None], *, sweep: bool = True) -> tuple[int, int]:
    """Run `work` in a forked process; return its exit code and signal when it has ended.

    Every process that it has left behind is killed then, also those that went away from it;
    without `sweep` they are left: the first of a process namespace kills them by ending.
    """
    _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if sweep:
        signal.signal(signal.SIGTERM, _kill_and_leave)
    child = os.fork()
    if child == 0:
        _run_and_leave(work)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    if sweep:
        kill_children()
    code = os.waitstatus_to_exitcode(status)
    return (code, 0) if code >= 0 else (0, -code)


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kill_children() -> None:
    """Kill every child; as a subreaper this process inherits theirs, until none is left."""
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _children() -> list[int]:
    own, found = os.getpid(), list[int]()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The name in parentheses may hold anything; the state and the parent follow it.
            if int(file.read().rpartition(b")")[2].split()[1]) == own:
                found.append(int(name))
    return found


def _run_and_leave(work: Callable[[], None]) -> None:
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent()
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 -- a forked process must not run on in its parent's code
        traceback.print_exc()
    finally:
        os._exit(BROKEN)


def _kill_and_leave(_number: int, _frame: FrameType | None) -> None:
    kill_children()
    os._exit(128 + signal.SIGTERM)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
