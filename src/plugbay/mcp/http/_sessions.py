"""The sessions of one route over Streamable HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from plugbay.mcp.conversation._conversation import Conversation
from plugbay.mcp.hooks._told import tell
from plugbay.sdk import McpSession
from plugbay.sdk.protection import address_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp.conversation._sent import Counts
    from plugbay.mcp.hooks._chain import Current
    from plugbay.mcp.hooks._observers import Observers

SESSION = b"mcp-session-id"
SESSIONS = 10_000
"""Sessions of the handshake era whose server requests can be told from others."""
CLAIMED = 1_000
"""Sessions that clients have named and the server has not answered in yet: anybody may make up
their names, which shall not drive out others."""


class HttpSessions:
    """The conversations of the handshake era, by whose they are and what the session is called."""

    def __init__(self, route: str, current: Current, observers: Observers, counts: Counts) -> None:
        self._route, self._current = route, current
        self._observers, self._counts = observers, counts
        self._known: OrderedDict[tuple[str, str], Conversation] = OrderedDict()
        self._claimed: OrderedDict[tuple[str, str], Conversation] = OrderedDict()
        self._farewells: set[asyncio.Task[None]] = set()

    def find(self, client: str, told: object, fields: Mapping[bytes, bytes]) -> Conversation:
        """Return the conversation of a session; a new one where there is none.

        `told` is who the client is, if a plugin has said so.
        """
        identity = told if isinstance(told, str) else address_identity(client)
        id = ""
        if SESSION in fields:
            id = fields[SESSION].decode("latin-1")
            key = identity, id
            if id and (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
            if id and (claimed := self._claimed.get(key)) is not None:
                return claimed
        session = McpSession(id=id, server=self._route, transport="http", identity=identity)
        made = Conversation(self._current, session, self._observers, strict=False)
        made.counts = self._counts
        if id:
            session.era = "handshake"
            self._claimed[identity, id] = made
            if len(self._claimed) > CLAIMED:
                self._claimed.popitem(last=False)[1].close()
        return made

    def confirm(self, conversation: Conversation) -> None:
        """The server has taken a request in a session: there is one."""
        session = conversation.session
        if self._claimed.pop((session.identity, session.id), None) is not None:
            self.keep(conversation)

    def keep(self, conversation: Conversation) -> None:
        """Know a session from now on; of too many the oldest is forgotten."""
        session = conversation.session
        self._known[session.identity, session.id] = conversation
        if len(self._known) > SESSIONS:
            _, oldest = self._known.popitem(last=False)
            oldest.close()
            self._ended(oldest)

    def end(self, conversation: Conversation) -> None:
        """A session is over, if it was one."""
        session = conversation.session
        self._claimed.pop((session.identity, session.id), None)
        if self._known.pop((session.identity, session.id), None) is not None:
            self._ended(conversation)

    def close(self) -> None:
        """Forget every session."""
        for sessions in self._known, self._claimed:
            for conversation in sessions.values():
                conversation.close()
            sessions.clear()

    def _ended(self, conversation: Conversation) -> None:
        """Tell the plugins that a session is over."""
        chain = self._current.chain
        if chain.hooks("on_session_end"):
            work = tell(chain, "on_session_end", conversation.session)
            task = asyncio.get_running_loop().create_task(work)
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)
