"""Our own standard streams, whatever they are: pipes, sockets, terminals, files, /dev/null."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CHUNK = 256 * 1024
_KEPT = 1 << 20
"""Bytes that wait for a reader before the other side does."""


class Reader(Protocol):
    """Where messages come from; `asyncio.StreamReader` is one."""

    def read(self, n: int = -1, /) -> Awaitable[bytes]: ...


class Writer(Protocol):
    """Where messages go; `asyncio.StreamWriter` is one. `drain` raises `OSError` when gone."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


class Inlet(asyncio.Protocol):
    """The reading end of a pipe: a `Reader`, whose bytes can also be had without a turn of the
    event loop between (`each`)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = self._paused = False
        self._news = asyncio.Event()
        self._take: Callable[[bytes], Awaitable[bool] | None] | None = None
        self._work: Awaitable[bool] | None = None
        self._error: BaseException | None = None
        self._transport: asyncio.ReadTransport | None = None

    async def read(self, n: int = -1, /) -> bytes:
        """Return what has come, at least one byte; empty at the end."""
        await self._some()
        return self._all()

    async def each(self, take: Callable[[bytes], Awaitable[bool] | None]) -> bool:
        """Hand what comes to `take` at once, until the end.

        If it returns something, that is awaited before more is handed over; False from it, as
        False from here, means that it wants no more. Raises what `take` raises.
        """
        try:
            while True:
                await self._some()
                if self._error is not None:
                    raise self._error
                work, self._work = self._work, None
                if work is None and self._size:
                    work = take(self._all())
                if work is not None:
                    if not await work:
                        return False
                elif self._ended and not self._size:
                    return True
                if not self._size and not self._ended:
                    self._take = take
                    self._pause(on=False)
        finally:
            self._take = None

    async def _some(self) -> None:
        while not (self._size or self._ended or self._work or self._error):
            self._pause(on=False)
            self._news.clear()
            await self._news.wait()

    def _all(self) -> bytes:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size = [], 0
        return data

    def _pause(self, *, on: bool) -> None:
        if self._transport is None or on == self._paused or self._ended:
            return
        self._paused = on
        if on:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # --- as the event loop sees it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.ReadTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        take = self._take
        if take is not None:
            try:
                work = take(data)
            except Exception as error:  # the caller of `each` gets it
                self._error = error
            else:
                if work is None:
                    return
                self._work = work
            self._take = None
            self._pause(on=True)
        else:
            self._parts.append(data)
            self._size += len(data)
            if self._size > _KEPT:
                self._pause(on=True)
        self._news.set()

    def eof_received(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, or broken: for a reader that is the end too."""
        self.eof_received()
