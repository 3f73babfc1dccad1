"""What a plugin's process remembers of a request or a session, for as long as that lives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.runtimes.process._session import Session


class Remembered:
    """Kept in the `state` of a request, or of a session of MCP if `mcp`: when that goes, the
    process is told to forget."""

    def __init__(self, session: Session, number: int, *, mcp: bool = False) -> None:
        self.session, self.number, self._mcp = session, number, mcp
        self._loop = asyncio.get_running_loop()

    def __del__(self) -> None:
        # Whichever thread collects it; a loop that is closed has nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_forget, self.session, self.number, self._mcp)


def _forget(session: Session, number: int, mcp: bool) -> None:
    if session.stream is None or not session.stream.open:
        return
    forget = session.stream.frame().forget
    if mcp:
        forget.session = number
    else:
        forget.state = number
