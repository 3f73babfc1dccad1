"""What is behind an endpoint: one server process, or several servers as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from plugbay.mcp._owner import Owner


class Backend(Protocol):
    """Takes a client's messages; what it says goes to its owner. `KeptServer` is one."""

    @property
    def retry_after(self) -> float:
        """Seconds until it may be there again."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        ...

    async def start(self) -> None:
        """Raises `NotFound` or `Unavailable`."""
        ...

    def persist(self) -> None:
        """It could not be started: try again behind the scenes."""
        ...

    async def send(self, raw: bytes) -> None:
        """Send one message on; the owner is told if it went nowhere."""
        ...

    async def stop(self, grace: float = ...) -> int:
        """End it, and leave nothing behind."""
        ...


MakeBackend = Callable[[Owner], Backend]
