"""Connections that are held: a descriptor each, and one timer for all of them.

A connection that a plugin's `Drip` answers is taken from its transport (dup(2)): what stays of it
is the descriptor and a small object, and every so often a few bytes are written to it. Nothing is
read any more: what the client sends fills the kernel's buffers, which are made small, and a
client that has gone is noticed by the next write or the one after it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from typing import TYPE_CHECKING

from plugbay.gateway.message._wire import chunk

if TYPE_CHECKING:
    from plugbay.gateway.transport._client import Client
    from plugbay.sdk import Drip

TICK = 0.1
SMALL = 2048
"""Bytes of a held connection's kernel buffers; the kernel may take more (socket(7))."""
_SPREAD = 7919
"""A prime: the first writes of connections that came together are spread over an interval."""


class Held:
    """One held connection."""

    __slots__ = ("client", "data", "drip", "fd", "trap", "until")

    def __init__(
        self, trap: Trap, fd: int, client: str, drip: Drip, data: bytes, until: int
    ) -> None:
        self.trap, self.fd, self.client = trap, fd, client
        self.drip, self.data, self.until = drip, data, until

    def let_go(self) -> None:
        """Close it, once."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)
            self.trap.gone(self)


class Trap:
    """Holds connections, within what the process can spare: at most half of its descriptors,
    and none when three quarters of all are in use."""

    def __init__(self) -> None:
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._due: dict[int, list[Held]] = {}
        self._clients: dict[str, int] = {}
        self._tick = 0
        self._handle: asyncio.TimerHandle | None = None
        self.closed = False
        self.held = self.refused = 0

    def admits(self, drip: Drip, client: str, connections: int) -> bool:
        """Whether one more may be held, with so many `connections` of other clients."""
        room = (
            not self.closed
            and self.held < min(drip.most, self._limit // 2)
            and self.held + connections < self._limit * 3 // 4
            and self._clients.get(client, 0) < drip.per_client
        )
        self.refused += not room
        return room

    def take(
        self, connection: Client, client: str, head: bytes, drip: Drip, *, chunked: bool
    ) -> bool:
        """Send the head and take the connection; False if that cannot be, and nothing was done."""
        transport = connection.transport
        own = transport.get_extra_info("socket")
        if own is None or connection.scheme == b"https" or transport.get_write_buffer_size():
            return False
        try:
            fd = os.dup(own.fileno())
        except OSError:
            return False
        try:
            whole = os.write(fd, head) == len(head)
        except OSError:
            whole = False
        if not whole:
            os.close(fd)
            transport.abort()
            drip.over()
            return True  # it is lost: the client has gone, or reads nothing at all
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            own.setsockopt(socket.SOL_SOCKET, option, SMALL)
        transport.abort()
        self._hold(fd, client, drip, chunk(drip.data) if chunked else drip.data)
        return True

    def gone(self, held: Held) -> None:
        """A connection is not held any more; for `Held`."""
        self.held -= 1
        left = self._clients[held.client] - 1
        if left:
            self._clients[held.client] = left
        else:
            del self._clients[held.client]
        held.drip.over()

    def close(self) -> None:
        """Let all go, and hold no more."""
        self.closed = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        due, self._due = self._due, {}
        for some in due.values():
            for held in some:
                held.let_go()

    def _hold(self, fd: int, client: str, drip: Drip, data: bytes) -> None:
        steps = max(1, round(drip.interval / TICK))
        held = Held(self, fd, client, drip, data, self._tick + max(1, round(drip.seconds / TICK)))
        self.held += 1
        self._clients[client] = self._clients.get(client, 0) + 1
        drip.taken, drip.let_go = True, held.let_go
        self._schedule(held, 1 + fd * _SPREAD % steps)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(TICK, self._turn)

    def _schedule(self, held: Held, steps: int) -> None:
        at = min(self._tick + steps, max(held.until, self._tick + 1))
        self._due.setdefault(at, []).append(held)

    def _turn(self) -> None:
        self._tick += 1
        for held in self._due.pop(self._tick, ()):
            if held.fd >= 0:
                self._write(held)
        self._handle = None
        if self.held:
            self._handle = asyncio.get_running_loop().call_later(TICK, self._turn)
        else:
            self._due.clear()

    def _write(self, held: Held) -> None:
        if self._tick >= held.until:
            held.let_go()
            return
        try:
            os.write(held.fd, held.data)
        except BlockingIOError:
            pass  # it does not even read: all the better
        except OSError:
            held.let_go()
            return
        self._schedule(held, max(1, round(held.drip.interval / TICK)))
