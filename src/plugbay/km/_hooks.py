"""The hooks of MCP messages by which plugins of Kilometers are told of them; none of them waits."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from plugbay.kernel import Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from plugbay.km._system import KmSystem
    from plugbay.sdk import McpSession, Message

    Direction = Literal["request", "response"]


class KmHooks:
    """Hands on what it sees. `about` says what else there is to tell of a session's start."""

    def __init__(self, system: KmSystem, about: Mapping[str, str]) -> None:
        self._system, self._about = system, dict(about)
        self._numbers = itertools.count(1)

    def bound(self, **more: Callable[..., None]) -> dict[str, Hook]:
        """Return the hooks, and `more`."""
        own: dict[str, Callable[..., None]] = {
            "on_session": self.on_session,
            "on_message": self.on_message,
        }
        return {name: Hook(call, coroutine=False) for name, call in (own | more).items()}

    def on_session(self, session: McpSession) -> None:
        """The stream starts."""
        data = {"session": session.id, "server": session.server, **self._about}
        self._system.stream("start", data)

    def on_session_end(self, session: McpSession) -> None:
        """The stream ends."""
        self._system.stream("end", {"session": session.id, "server": session.server})

    def on_message(self, message: Message) -> None:
        """A message, and what has stopped it."""
        if message.blocked is not None:
            self._system.error(f"{message.method} was blocked: {message.blocked.reason}")
        direction: Direction = "request" if message.direction == "to-server" else "response"
        self._system.message(message.raw, direction, self._correlation(message))

    def on_exit(self, session: McpSession, code: int) -> None:
        """The server has ended."""
        if code:
            said = 128 - code if code < 0 else code  # as a shell says it
            self._system.error(f"the MCP server {session.server} has ended with code {said}")

    def _correlation(self, message: Message) -> str:
        """The same for a request and its response; ids of the two directions may collide."""
        session = message.session.id[:8]
        if message.kind == "notification":
            return f"{session}-n{next(self._numbers)}"
        answers = message.kind in ("response", "error")
        client = (message.direction == "to-server") != answers
        return f"{session}-{'c' if client else 's'}-{message.id}"
