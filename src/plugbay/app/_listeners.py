"""The listening sockets of the workers: one each, opened by the supervisor, which outlive them.

Every worker has its own socket at the same address (SO_REUSEPORT, socket(7)), and its successor
gets the same one: connections in its accept queue wait for it and are not reset.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING

from plugbay.kernel import Unavailable
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BACKLOG = 4096


class Listeners:
    """Sockets by worker. `addresses` are the real ones: a port 0 was replaced by a free one.

    What port 0 became is kept in `memory`, for the supervisor after this one.
    """

    def __init__(self, configured: Sequence[str], memory: Path) -> None:
        self._configured, self._memory = tuple(configured), memory
        self._sockets: dict[str, list[socket.socket]] = {}
        known = _read(memory)
        self.addresses = [known.get(address, address) for address in self._configured]

    def claim(self, *, shared: bool) -> None:
        """Make sure of the addresses. Raises `Unavailable` if another program has one.

        `shared`: workers of an earlier supervisor may still be listening there.
        """
        for index, address in enumerate(self.addresses):
            if not shared:
                try:
                    _open(address, reuse_port=False).close()
                except OSError as error:
                    if address == self._configured[index]:
                        raise _taken(address, error) from error
                    self.addresses[index] = self._configured[index]
            # Binding for good: from here on the port is ours, whatever workers do.
            self.addresses[index] = self._bind("", self.addresses[index])
        content = dict(zip(self._configured, self.addresses, strict=True))
        write_atomically(self._memory, json.dumps(content).encode())

    def of(self, worker: str) -> list[socket.socket]:
        """Return the listening sockets of a worker, opened on first use. Raises `Unavailable`."""
        if worker not in self._sockets:
            for address in self.addresses:
                self._bind(worker, address)
            for listener in self._sockets[worker]:
                listener.listen(BACKLOG)
        return self._sockets[worker]

    def take(self, worker: str, fds: Sequence[int]) -> None:
        """Keep the sockets that an adopted worker has handed over; ours come first."""
        if worker in self._sockets or len(fds) != len(self._configured):
            for fd in fds:
                os.close(fd)
            return
        self._sockets[worker] = [socket.socket(fileno=fd) for fd in fds]

    def close(self) -> None:
        """Close all of them."""
        for sockets in self._sockets.values():
            for listener in sockets:
                listener.close()
        self._sockets.clear()

    def _bind(self, worker: str, address: str) -> str:
        try:
            listener = _open(address, reuse_port=True)
        except OSError as error:
            raise _taken(address, error) from error
        self._sockets.setdefault(worker, []).append(listener)
        return address_of(listener)


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 host stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def address_of(listener: socket.socket) -> str:
    """Return where a socket listens, as `split_address` takes it."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_listener(address: str) -> socket.socket:
    """Open a listening socket of the supervisor's own. Raises `Unavailable`."""
    try:
        listener = _open(address, reuse_port=False)
    except OSError as error:
        raise _taken(address, error) from error
    listener.listen(128)
    return listener


def _open(address: str, *, reuse_port: bool) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _taken(address: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"cannot listen at {address}: {error.strerror}; stop what uses it, or choose another"
        " address in gateway.toml"
    )


def _read(memory: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(memory.read_text())
        if isinstance(value, dict):
            return {str(key): str(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    return {}
