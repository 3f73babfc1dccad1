"""How the system's scheduler sees a process that only passes on what others say (sched(7))."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_GIVING_WAY = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
"""The flag marks a policy of our own: of the system's policies only real-time ones are reset."""


def give_way() -> None:
    """Do not interrupt a running process when something has come for this one.

    A client that writes 64 calls would be interrupted at each of them on a busy machine; so it
    writes them all, and they are passed on together. On an idle processor it changes nothing.
    """
    with contextlib.suppress(OSError):  # where it is not allowed it goes on as before
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, _GIVING_WAY, os.sched_param(0))


@contextlib.contextmanager
def as_usual() -> Generator[None]:
    """What is started meanwhile is scheduled as if we did not give way."""
    gives_way = os.sched_getscheduler(0) == _GIVING_WAY
    if gives_way:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        if gives_way:
            give_way()
