"""Threads and file descriptors of this process, compared between two moments."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from typing import Self

_LISTING = "/proc/self/fd"


@dataclass(frozen=True, slots=True)
class Resources:
    """What was open at one moment."""

    threads: frozenset[int]
    descriptors: frozenset[int]

    @classmethod
    def now(cls) -> Self:
        """Look now. Where there is no procfs, no descriptors are seen."""
        # The listing had a descriptor of its own, whose number is free again.
        return cls(_threads(), frozenset(n for n in _descriptors() if leads_to(n)))


@dataclass(frozen=True, slots=True)
class Appeared:
    """What was there after and not before; descriptors with what they lead to."""

    threads: frozenset[int] = frozenset()
    descriptors: tuple[tuple[int, str], ...] = ()

    @classmethod
    def since(cls, before: Resources) -> Self:
        """Compare with now; what was open before is not looked at again: it may be a lot."""
        new = sorted(_descriptors() - before.descriptors)
        opened = tuple((number, target) for number in new if (target := leads_to(number)))
        return cls(_threads() - before.threads, opened)

    def still_open(self, *, exact: bool) -> list[tuple[int, str]]:
        """Return the descriptors that are open still, and lead to the same.

        In a process that serves, a connection that appeared is likely not the plugin's: unless
        `exact`, of sockets only those count that listen.
        """
        same = [(n, target) for n, target in self.descriptors if leads_to(n) == target]
        return [(n, t) for n, t in same if exact or not t.startswith("socket:") or _listens(n)]


def leads_to(descriptor: int) -> str:
    """Return the file, or `socket:[…]`, behind a descriptor; empty if it is closed."""
    try:
        return os.readlink(f"{_LISTING}/{descriptor}")
    except OSError:
        return ""


def _threads() -> frozenset[int]:
    # Not `ident`: that is an address, which the next thread may get.
    return frozenset(t.native_id for t in threading.enumerate() if t.native_id is not None)


def _descriptors() -> frozenset[int]:
    try:
        return frozenset(map(int, os.listdir(_LISTING)))
    except OSError:
        return frozenset()


def _listens(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as probe:
            return bool(probe.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
