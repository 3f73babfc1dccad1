"""Who talks to a server that is kept running, and who is told what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from plugbay.mcp._framing import TooLong

    Lines = list[bytes | TooLong]


class Owner(Protocol):
    """Who talks to a kept server."""

    async def hear(self, lines: Lines) -> None:
        """Lines of the server."""
        ...

    async def gone(self, code: int) -> None:
        """The process has ended; whoever waits for it is to be answered."""
        ...

    async def back(self) -> None:
        """There is a process again, which knows what the one before it was told."""
        ...

    async def refused(self) -> None:
        """What was written just now went nowhere: there is no process."""
        ...

    async def stderr(self, line: str) -> None:
        """A line of its standard error."""
        ...


class Notice(Protocol):
    """Is told what becomes of servers: `started`, `not-started`, `exited`, `restarted`,
    `breaker-opened`, `breaker-closed`, `stderr`."""

    def __call__(self, what: str, server: str, **facts: object) -> None: ...
