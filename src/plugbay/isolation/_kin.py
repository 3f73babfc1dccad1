"""What a confined process has started, and has left its session: it shares a namespace still."""

from __future__ import annotations

import os
import signal
import time

_ROUNDS, _PAUSE = 50, 0.002
_PLACE = "/proc/{}/ns/ipc"


class Kin:
    """All processes of one IPC namespace, which is one sandbox's alone. `end` them once."""

    def __init__(self, namespace: int) -> None:
        self._namespace = namespace  # held open, so that its number is given to no other

    @classmethod
    def of(cls, pid: int) -> Kin | None:
        """Return those of a process; None if it has ended, or was given no namespace."""
        try:
            namespace = os.open(_PLACE.format(pid), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        if os.fstat(namespace).st_ino == os.stat(_PLACE.format("self")).st_ino:
            os.close(namespace)
            return None
        return cls(namespace)

    def end(self) -> None:
        """Kill those that are left, also what they start meanwhile; this takes milliseconds."""
        number = os.fstat(self._namespace).st_ino
        try:
            for _ in range(_ROUNDS):
                if not _kill_all(number):
                    return
                time.sleep(_PAUSE)
        finally:
            os.close(self._namespace)


def _kill_all(number: int) -> int:
    """Kill every process of a namespace; return how many there were."""
    return sum(_kill(int(pid), number) for pid in os.listdir("/proc") if pid.isdigit())


def _kill(pid: int, number: int) -> bool:
    """Kill a process if it is in that namespace; return whether it was."""
    if not _within(pid, number):
        return False
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if _within(pid, number):  # not another one, to which the number has been given since
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _within(pid: int, number: int) -> bool:
    try:
        return os.stat(_PLACE.format(pid)).st_ino == number
    except OSError:
        return False
