"""How the system's scheduler sees a process that only passes on what others say."""

from __future__ import annotations

import contextlib
import os


def give_way() -> None:
    """Do not interrupt a running process when something has come for this one (sched(7)).

    A client that writes 64 calls would be interrupted at each of them on a busy machine; so it
    writes them all, and they are passed on together. On an idle processor it changes nothing.
    It holds for the calling thread only, and neither for its children nor for later threads.
    """
    with contextlib.suppress(OSError):  # where it is not allowed it goes on as before
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            policy = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, policy, os.sched_param(0))
