"""Keeps a process with foreign code apart: limits, own namespaces, and nothing left behind.

For the child process of a trial only: it forks, and changes the process for good. What the
system refuses (namespaces need a kernel that lets users make them) is noted and done without.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from plugbay.runtimes._trial_report import TrialLimits

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 38, 36
_NEWUSER, _NEWIPC, _NEWNET, _NEWPID = 0x10000000, 0x08000000, 0x40000000, 0x20000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAP_VERSION_3 = 0x20080522
_MIB = 1 << 20
BROKEN = 70
"""The exit code of a process whose own work raised (EX_SOFTWARE)."""


def enter_namespaces() -> tuple[bool, list[str]]:
    """Leave the network and, for children, the other processes.

    Returns whether children get a process namespace of their own, and what could not be had.
    """
    for flags in (_NEWUSER | _NEWNET | _NEWIPC | _NEWPID, _NEWNET | _NEWIPC | _NEWPID):
        if _libc().unshare(flags) == 0:
            _raise_loopback()
            return True, []
    return False, ["no namespaces: the trial could reach the network and see other processes"]


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


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit(limits: TrialLimits) -> None:
    """Set the limits of this process and take every privilege from it."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_FSIZE, limits.file_mb * _MIB),
        (resource.RLIMIT_AS, limits.memory_mb * _MIB),
    ):
        resource.setrlimit(what, (most, most))
    # The soft limit ends it by SIGXCPU, which says why; the hard one by SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _drop_capabilities()


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
        die_with_parent()
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 -- a forked process must not run on in its parent's code
        traceback.print_exc()
    finally:
        os._exit(BROKEN)


def _kill_and_leave(_number: int, _frame: FrameType | None) -> None:
    kill_children()
    os._exit(128 + signal.SIGTERM)


def _raise_loopback() -> None:
    """Bring up 127.0.0.1 in the new network: a plugin may listen on it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", _IFF_UP)
        fcntl.ioctl(probe, _SIOCSIFFLAGS, request)


def _drop_capabilities() -> None:
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is not None:
        header = struct.pack("Ii", _CAP_VERSION_3, 0)
        _libc().syscall(number, header, bytes(24))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
