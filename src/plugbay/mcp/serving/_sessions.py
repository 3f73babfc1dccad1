"""The sessions of an endpoint (protocol versions up to 2025-11-25)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from plugbay.mcp.serving._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._spec import FederationSpec, ServerSpec
    from plugbay.mcp.serving._tools_seen import ToolsSeen

_log = logging.getLogger("plugbay.mcp")


class Sessions:
    """All that have begun and not ended; iterating yields them."""

    def __init__(self, now: Callable[[], float], tools: ToolsSeen) -> None:
        self._now, self._tools = now, tools
        self._all: dict[str, Session] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._starting = 0

    def __len__(self) -> int:
        return len(self._all) + self._starting

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._all.values()))

    @property
    def busy(self) -> bool:
        """Whether a response is open."""
        return any(session.busy for session in self._all.values())

    def make(self, spec: ServerSpec | FederationSpec, make: MakeBackend) -> Session:
        """Return a session that has not begun yet."""
        return Session(secrets.token_hex(16), make, self._now, spec, self._tools)

    async def begin(self, session: Session) -> None:
        """Start what is behind it. Raises what that raises."""
        self._starting += 1
        try:
            await session.backend.start()
        finally:
            self._starting -= 1
        self._all[session.id] = session

    def find(self, id: str) -> Session | None:
        """Return a session that is there; one whose server has ended for good ends now."""
        session = self._all.get(id)
        if session is not None and session.backend.over:
            self.end(session)
            return None
        return session

    def end(self, session: Session) -> None:
        """End a session; whoever waits for its process is not waited for."""
        if self._all.pop(session.id, None) is not None:
            task = asyncio.create_task(session.close(), name=f"end {session.id[:8]}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def sweep(self, idle: float, server: str) -> None:
        """End those that nobody has used for so many seconds; let others forget what is old."""
        late = self._now() - idle
        for session in self:
            session.events.forget()
            if session.used < late and not session.busy:
                _log.info("a session of %s was idle and has ended", server)
                self.end(session)

    async def close(self, grace: float) -> None:
        """End all of them."""
        ends = [session.close(grace) for session in self]
        self._all.clear()
        await asyncio.gather(*ends, *self._closing)
