"""Links over a Unix socket: length-prefixed MessagePack, and listening sockets handed back.

A worker opens a link with a greeting: its name and, as ancillary data (SCM_RIGHTS, unix(7)), its
listening sockets. So a supervisor that was restarted gets them from the workers it adopts, and
can hand them to their successors: no connection in an accept queue is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING

import msgspec

from plugbay.control import _messages as say
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    OnLink = Callable[["StreamLink", "Greeting"], Awaitable[None]]

LARGEST = 64 * 1024 * 1024
"""Bytes of one message; a metrics snapshot or a desired state is far below."""
MOST_FDS = 16
GREETING_BYTES = 64
PAUSE = 1.0
"""Seconds until a link is accepted after one could not be."""
_log = logging.getLogger("plugbay.supervisor")
_LENGTH = struct.Struct("!I")
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[say.AnyMessage] = msgspec.msgpack.Decoder(say.AnyMessage)


class Greeting:
    """Who opened a link, and the descriptors that came with it; whoever gets them owns them."""

    def __init__(self, worker: str, fds: Sequence[int]) -> None:
        self.worker, self.fds = worker, tuple(fds)

    def close(self) -> None:
        """Close the descriptors."""
        for fd in self.fds:
            os.close(fd)


class StreamLink:
    """`Link` over a connected stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it was closed here, or is known to be broken."""
        return self._closed or self._writer.is_closing()

    def send(self, message: say.Message) -> None:
        """Hand over a message. Raises `Unavailable` if the link is closed."""
        if self.closed:
            raise Unavailable("the link is closed")
        data = _encoder.encode(message)
        self._writer.write(_LENGTH.pack(len(data)) + data)

    async def __aiter__(self) -> AsyncIterator[say.Message]:
        """Yield what the other side sends, until the link ends or talks nonsense."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            while not self._closed:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if length > LARGEST:
                    break
                yield _decoder.decode(await self._reader.readexactly(length))
        self.close()

    def close(self) -> None:
        """Close it, once what was sent before has been written."""
        if not self._closed:
            self._closed = True
            self._writer.close()


async def connect(path: Path, worker: str, fds: Sequence[int]) -> StreamLink:
    """Open a link to the supervisor. Raises `OSError` if nobody listens at `path`."""
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        await loop.sock_connect(connection, str(path))
        greeting = worker.encode().ljust(GREETING_BYTES)
        socket.send_fds(connection, [greeting], list(fds)[:MOST_FDS])
    except BaseException:
        connection.close()
        raise
    return await _link(connection)


async def _link(connection: socket.socket) -> StreamLink:
    """Return a link over a socket, which is the link's from now on, also if this is cancelled.

    The loop closes the descriptor then, and the socket must not do so again: by then the number
    may be that of something another thread has just opened. asyncio does it through the socket;
    uvloop takes the number from the socket (its issue 738; before 0.23 it did not).
    """
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    return StreamLink(reader, writer)


class LinkServer:
    """Accepts links at a path that only this user can open."""

    def __init__(self, path: Path, on_link: OnLink) -> None:
        self._path, self._on_link = path, on_link
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming: set[socket.socket] = set()
        """Connections that no link has taken over yet."""
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)

    def start(self) -> None:
        """Listen. Raises `Unavailable` if the path cannot be used."""
        try:
            self._path.unlink(missing_ok=True)
            mask = os.umask(0o177)
            try:
                self._listener.bind(str(self._path))
            finally:
                os.umask(mask)
            self._listener.listen(64)
        except OSError as error:
            self._listener.close()
            raise Unavailable(f"cannot listen at {self._path}: {error}") from error
        self._listen()

    async def close(self) -> None:
        """Accept no more, and end the links."""
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._listener)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in (self._listener, *self._coming):
            connection.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        if not self._closed:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Take one connection; `sock_accept` would lose it if it was cancelled just then."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptor is free, and nobody else would take it
            _log.warning("a link cannot be accepted, tried again in %g s: %s", PAUSE, error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listener)
            loop.call_later(PAUSE, self._listen)
            return
        self._coming.add(connection)
        self._spawn(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        greeting = await _greeting(connection)
        self._coming.discard(connection)
        if greeting is None:
            connection.close()
            return
        try:
            link = await _link(connection)
        except BaseException:
            greeting.close()
            raise
        await self._on_link(link, greeting)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _greeting(connection: socket.socket) -> Greeting | None:
    """Read who is there; None if nobody says so in time."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        async with asyncio.timeout(5.0):
            await readable.wait()
        data, fds, _, _ = socket.recv_fds(connection, GREETING_BYTES, MOST_FDS)
    except (OSError, TimeoutError):
        return None
    finally:
        loop.remove_reader(connection)
    greeting = Greeting(data.decode("ascii", "replace").strip(), fds)
    if len(data) == GREETING_BYTES:
        return greeting
    greeting.close()
    return None
