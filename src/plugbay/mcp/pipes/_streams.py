"""Our own standard streams, whatever they are: pipes, sockets, terminals, files, /dev/null."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from typing import IO, TYPE_CHECKING, Protocol

from plugbay.isolation import read_pipe, write_pipe
from plugbay.mcp.pipes._inlet import Inlet
from plugbay.mcp.pipes._outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Awaitable

CHUNK = 256 * 1024


class Reader(Protocol):
    """Where messages come from; `asyncio.StreamReader` is one."""

    def read(self, n: int = -1, /) -> Awaitable[bytes]: ...


class Writer(Protocol):
    """Where messages go; `asyncio.StreamWriter` is one. `drain` raises `OSError` when gone."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


async def open_reader(fd: int) -> Reader:
    """Return a reader of a descriptor; one that cannot be waited for gets a thread."""
    if _waitable(fd):
        return await connect_reader(os.fdopen(os.dup(fd), "rb", 0))
    inlet = Inlet()
    feed = _Feed(asyncio.get_running_loop(), inlet, fd)
    inlet.connection_made(feed)
    threading.Thread(target=feed.run, name="plugbay-stdin", daemon=True).start()
    return inlet


async def open_writer(fd: int) -> Writer:
    """Return a writer to a descriptor, which is its own from now on."""
    if _waitable(fd):
        return await connect_writer(os.fdopen(fd, "wb", 0))
    return _FileWriter(fd)


async def connect_reader(pipe: IO[bytes]) -> Inlet:
    """Return a reader of a pipe, which is its own from now on."""
    _, inlet = await read_pipe(Inlet, pipe)
    return inlet


async def connect_writer(pipe: IO[bytes]) -> Outlet:
    """Return a writer to a pipe, which is its own from now on."""
    _, outlet = await write_pipe(Outlet, pipe)
    return outlet


def _waitable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


class _Feed(asyncio.ReadTransport):
    """Reads a file or a device in a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inlet: Inlet, fd: int) -> None:
        super().__init__()
        self._loop, self._inlet, self._fd = loop, inlet, fd
        self._go = threading.Event()
        self._go.set()

    def run(self) -> None:
        """Read to the end."""
        try:
            while data := self._read():
                self._loop.call_soon_threadsafe(self._inlet.data_received, data)
                self._go.wait()
            self._loop.call_soon_threadsafe(self._inlet.eof_received)
        except RuntimeError:
            return  # the loop has ended

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, CHUNK)
        except OSError:
            return b""  # there is nothing to read from

    def pause_reading(self) -> None:
        """What is read meanwhile is one more chunk."""
        self._go.clear()

    def resume_reading(self) -> None:
        """Go on."""
        self._go.set()


class _FileWriter:
    """A file takes what it gets at once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._error: OSError | None = None

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self._error = error

    async def drain(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
