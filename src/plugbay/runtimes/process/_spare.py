"""A second process, ready to take over when the first one dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from plugbay.kernel import Invalid, PlugbayError
from plugbay.runtimes.process._keeper import Kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.sdk import Host

_Kept = TypeVar("_Kept", bound=Kept)


class Spare(Generic[_Kept]):
    """Keeps one process that `make` has made: described and configured, but not started yet."""

    def __init__(self, make: Callable[[], Awaitable[_Kept]], host: Host) -> None:
        self._make, self._host = make, host
        self._making: asyncio.Task[None] | None = None
        self.ready: _Kept | None = None
        """The process, when there is one; it may have ended."""

    def prepare(self) -> None:
        """Begin to make one, unless there is one."""
        if self.ready is None and (self._making is None or self._making.done()):
            self._making = asyncio.create_task(self._prepare(), name=f"spare {self._host.plugin}")

    def available(self) -> bool:
        """Return whether there is one that lives."""
        return self.ready is not None and not self.ready.ended.done()

    def take(self) -> _Kept | None:
        """Return the process if it is there and lives; it is the caller's from now on."""
        if not self.available():
            return None
        taken, self.ready = self.ready, None
        return taken

    async def close(self) -> None:
        """End it, and make no other."""
        making, self._making = self._making, None
        if making is not None:
            making.cancel()
            await asyncio.wait((making,))
        ready, self.ready = self.ready, None
        if ready is not None:
            await ready.end()

    async def replace(self) -> None:
        """Make another one in the place of one that was taken, or has ended."""
        ready, self.ready = self.ready, None
        if ready is not None:
            await ready.end()
        self.prepare()

    async def _prepare(self) -> None:
        try:
            self.ready = await self._make()
        except (PlugbayError, Invalid, OSError) as error:
            self._host.log.warning("no spare process could be started: %s", error)
