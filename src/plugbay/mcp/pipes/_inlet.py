"""The reading end of a pipe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from plugbay.mcp.pipes._descriptor import descriptor_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Take = Callable[[bytes], Awaitable[bool] | None]

KEPT = 1 << 20
"""Bytes that wait for a reader; then the other side does."""


class Inlet(asyncio.Protocol):
    """A `Reader`, whose bytes can also be had without a turn of the event loop (`each`)."""

    def __init__(self) -> None:
        self._transport: asyncio.ReadTransport | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = self._paused = self._useless = False
        self._news = asyncio.Event()
        self._take: Take | None = None
        self._work: Awaitable[bool] | None = None
        self._error: Exception | None = None

    @property
    def descriptor(self) -> int:
        """The number of its file, -1 if it has none any more."""
        return descriptor_of(self._transport)

    async def read(self, n: int = -1, /) -> bytes:
        """Return what has come, at least one byte; empty at the end."""
        while not self._size and not self._ended:
            await self._wait()
        return self._all()

    async def each(self, take: Take) -> bool:
        """Hand what comes to `take` at once, until the end.

        What it returns is awaited before it gets more; if that is False it wants no more, and
        False is returned from here too. Raises what `take` raises.
        """
        try:
            while not self._useless:
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
                elif not self._size:
                    self._take = take
                    await self._wait()
        finally:
            self._take = None
        return False

    def give_up(self) -> None:
        """Let `each` return False: what it brings is of no use any more."""
        self._useless = True
        self._news.set()

    async def _wait(self) -> None:
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
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        take = self._take
        if take is None:
            self._parts.append(data)
            self._size += len(data)
            if self._size > KEPT:
                self._pause(on=True)
            self._news.set()
            return
        try:
            work = take(data)
        except Exception as error:  # noqa: BLE001 -- the caller of `each` raises it
            self._error = error
        else:
            if work is None:
                return
            self._work = work
        self._take = None
        self._pause(on=True)
        self._news.set()

    def eof_received(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, or broken: for a reader that is the end too."""
        self.eof_received()
