"""The writing end of a pipe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from plugbay.mcp.pipes._descriptor import descriptor_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Outlet(asyncio.BaseProtocol):
    """A `Writer` that knows whether it must be waited for."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._lost = False
        self.ready = True
        """Whether the other side is there, and reads."""
        self.broken: list[Callable[[], None]] = []
        """Called when what was written could not be sent."""

    @property
    def descriptor(self) -> int:
        """The number of its file, -1 if it has none any more."""
        return descriptor_of(self._transport)

    @property
    def sent(self) -> bool:
        """Whether the system has taken all that was written."""
        return self._transport is not None and not self._transport.get_write_buffer_size()

    def write(self, data: bytes, /) -> None:
        """Send it, or keep it until the other side reads on."""
        if self._transport is None or self._transport.is_closing():
            self._lost, self.ready = True, False
        else:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the other side has read most of it. Raises `OSError` if it has gone."""
        await self._room.wait()
        if self._lost:
            raise BrokenPipeError("the other side has gone")

    async def flush(self) -> None:
        """Wait until the system has taken all of it. Raises `OSError` if the other has gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_write_buffer_limits(0)
        await self.drain()

    def close(self) -> None:
        """Let the other side see the end when it has read all."""
        if self._transport is not None:
            self._transport.close()

    # --- as the event loop sees it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def pause_writing(self) -> None:
        """The other side does not read."""
        self._room.clear()
        self.ready = False

    def resume_writing(self) -> None:
        """It reads again."""
        self._room.set()
        self.ready = not self._lost

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone."""
        self._lost, self.ready = True, False
        self._room.set()
        if exc is not None:
            for call in self.broken:
                call()
