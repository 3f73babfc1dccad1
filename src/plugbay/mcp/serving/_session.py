"""A client's session with a server of its own (protocol versions up to 2025-11-25).

A process speaks with one client: its log level, its subscriptions, the client's roots and its
answers to questions of the server belong to a connection. So each session has its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.kernel import Conflict
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import INVALID_REQUEST
from plugbay.mcp._json import UNREADABLE, as_object, params_of
from plugbay.mcp.process._child import exit_code
from plugbay.mcp.serving._events import Events
from plugbay.mcp.serving._lines import messages
from plugbay.mcp.serving._stream import Stream
from plugbay.mcp.serving._tools_seen import LISTING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._spec import FederationSpec, ServerSpec
    from plugbay.mcp.serving._tools_seen import ToolsSeen

_log = logging.getLogger("plugbay.mcp")
PATIENCE = 30.0
"""Seconds that a server waits for a client that does not read; then its stream is broken off."""
PRIMED = "2025-11-25"
"""The first version whose clients know an event without a message."""
LONGEST = 20
"""Characters of a protocol version that are remembered."""
WAITING = 256
"""Messages that wait for the client's GET; of more the oldest is dropped."""
_LATER = ("list_changed", "resources/updated")
"""Ends of the methods of notifications that belong to no request."""


class Session:
    """One client, one backend. It is the backend's `Owner`."""

    def __init__(
        self,
        id: str,
        make: MakeBackend,
        now: Callable[[], float],
        spec: ServerSpec | FederationSpec,
        tools: ToolsSeen,
    ) -> None:
        self.id, self._now, self._most, self._tools = id, now, spec.max_requests, tools
        self.events = Events(now, size=spec.replay_bytes, seconds=spec.replay_seconds)
        self.backend = make(self)
        self.used = now()
        self.protocol_version = ""
        """As header fields have it."""
        self.offered = ""
        """What the client has begun with."""
        self.dropped = 0
        self.former = False
        """Whether it began before a change of the server's settings."""
        self._waiting: dict[Id, Stream] = {}
        self._tokens: dict[object, Stream] = {}
        self._asked: dict[Id, Stream] = {}
        self._later: list[bytes] = []
        self._listener: Stream | None = None

    # --- from the client

    @property
    def busy(self) -> bool:
        """Whether a response is open."""
        return bool(self._waiting) or self._listener is not None

    async def ask(self, raw: bytes, envelope: Envelope) -> Stream:
        """Send a request on, and return what its response carries. Raises what is `UNREADABLE`."""
        self.used = self._now()
        stream = self._stream(envelope.id)
        if envelope.id in self._waiting or len(self._waiting) >= self._most:
            text = "the id is in use" if envelope.id in self._waiting else "too many in flight"
            stream.end(error_answer(envelope.id, INVALID_REQUEST, f"Invalid Request: {text}"))
            return stream
        token = progress_token(raw) if b"progressToken" in raw else None
        if envelope.method == "initialize":
            self.offered = str(params_of(raw).get("protocolVersion", ""))[:LONGEST]
        self._waiting[envelope.id] = stream
        if envelope.method == LISTING:
            self._tools.expect(stream, raw)
        if isinstance(token, (int, float, str)):
            self._tokens[token] = stream
        await self.backend.send(raw)
        return stream

    async def tell(self, raw: bytes, envelope: Envelope) -> None:
        """Send on a notification, or the answer to a question of the server's."""
        self.used = self._now()
        await self.backend.send(raw)
        if envelope.method == "notifications/cancelled":
            self._settle(params_of(raw).get("requestId"))

    def listen(self) -> Stream | None:
        """Open the stream for what belongs to no request; None if there is one already."""
        self.used = self._now()
        if self._listener is not None:
            return None
        self._listener = stream = self._stream()
        self._tell_later(stream)
        return stream

    def resume(self, last: str) -> Stream | None:
        """Go on with the stream of an event that a client has got; None if that is not there any
        more. Raises `Conflict` if it has another stream for what belongs to no request."""
        self.used = self._now()
        found = self.events.find(last)
        if found is None:
            return None
        stream, again = found
        if stream.id is None:
            if self._listener not in (None, stream):
                raise Conflict("the session has a stream already")
            self._listener = stream
        stream.resume(again)
        if stream is self._listener:
            self._tell_later(stream)
        return stream

    def _stream(self, id: Id = None) -> Stream:
        return Stream(id, self.events, primes=self.protocol_version >= PRIMED)

    def _tell_later(self, stream: Stream) -> None:
        for raw in self._later:
            stream.put(raw)
        self._later.clear()

    def left(self, stream: Stream) -> None:
        """The client does not read a response any more. Its request goes on (2025-11-25,
        transports: a disconnection is no cancellation)."""
        self.used = self._now()
        stream.leave()
        if stream is self._listener:
            self._listener = None

    def hush(self) -> None:
        """End the stream for what belongs to no request."""
        if self._listener is not None:
            self._listener.end()

    async def close(self, grace: float = 2.0) -> None:
        """End the session and what is behind it."""
        self._abandon("the session has ended", 0)
        self.hush()
        await self.backend.stop(grace)

    # --- from the backend

    async def hear(self, lines: list[bytes | TooLong]) -> None:
        """Take lines of the server to the responses that they belong to."""
        for raw, envelope in messages(lines):
            try:
                stream = self._route(raw, envelope)
            except UNREADABLE:
                _log.warning("the server wrote what cannot be read, dropped: %.200r", raw)
                continue
            if stream is not None and stream.full and not await stream.room(PATIENCE):
                self.left(stream)

    async def gone(self, code: int) -> None:
        """The process has ended: answer for it."""
        self._abandon(f"the MCP server has ended with code {exit_code(code)}", code)

    async def refused(self) -> None:
        """There is no process: answer at once."""
        self._abandon("the MCP server is not running now")

    async def back(self) -> None:
        """There is a process again: what comes now reaches it."""

    async def stderr(self, line: str) -> None:
        """Log it."""
        _log.info("%s", line[:2000], extra={"session": self.id[:8]})

    # --- which response

    def _route(self, raw: bytes, envelope: Envelope) -> Stream | None:
        if envelope.kind in ("response", "error"):
            stream = self._settle(envelope.id, raw)
            if stream is None:
                self.dropped += 1
            return stream
        stream = self._stream_for(raw, envelope)
        if stream is not None:
            stream.put(raw)
            if envelope.kind == "request":
                self._asked[envelope.id] = stream
        elif len(self._later) < WAITING:
            self._later.append(raw)
        else:
            self.dropped += 1
        return stream

    def _settle(self, id: Id, raw: bytes = b"") -> Stream | None:
        stream = self._waiting.pop(id, None)
        if stream is not None:
            stream.end(raw)
            self._tokens = {t: s for t, s in self._tokens.items() if s is not stream}
            self._asked = {i: s for i, s in self._asked.items() if s is not stream}
        return stream

    def _stream_for(self, raw: bytes, envelope: Envelope) -> Stream | None:
        """A pipe does not say which request a message belongs to: progress does by its token;
        else it is the only one there is, else the one that came last."""
        if envelope.method == "notifications/progress":
            return self._tokens.get(params_of(raw).get("progressToken")) or self._listener
        if envelope.method == "notifications/cancelled":
            return self._asked.get(params_of(raw).get("requestId")) or self._listener
        open_ = [stream for stream in self._waiting.values() if not stream.lost]
        if envelope.method.endswith(_LATER):
            return self._listener
        if len(open_) == 1:
            return open_[0]
        return self._listener or (open_[-1] if open_ else None)

    def _abandon(self, text: str, code: int | None = None) -> None:
        facts: dict[str, Any] = {"retry_after_ms": round(self.backend.retry_after * 1000)}
        if code is not None:
            facts["exit"] = exit_code(code)
        for id in tuple(self._waiting):
            self._settle(id, error_answer(id, SERVER_DOWN, text, facts))


def progress_token(raw: bytes) -> object:
    """Return the token by which a request wants to hear of its progress."""
    token: object = as_object(params_of(raw).get("_meta")).get("progressToken")
    return token
