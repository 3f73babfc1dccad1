"""Streamable HTTP before servers that do not speak it, in both eras of the protocol.

Up to 2025-11-25 a client begins a session with `initialize`, and has a backend of its own; from
2026-07-28 on there are no sessions, and all clients share one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Conflict, PlugbayError
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import INVALID_REQUEST, PARSE_ERROR, Malformed, read_envelope
from plugbay.mcp._json import UNREADABLE
from plugbay.mcp.serving._checks import (
    HANDSHAKE_VERSIONS,
    MODERN,
    Fields,
    Refusal,
    check_modern,
    check_origin,
    check_params,
    modern_status,
    plain_status,
)
from plugbay.mcp.serving._http import Call, Gone, TooLarge
from plugbay.mcp.serving._sessions import Sessions
from plugbay.mcp.serving._shared import Shared
from plugbay.mcp.serving._tools_seen import ToolsSeen

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._http import Receive, Send
    from plugbay.mcp.serving._session import Session
    from plugbay.mcp.serving._spec import FederationSpec, ServerSpec
    from plugbay.mcp.serving._stream import Stream

_log = logging.getLogger("plugbay.mcp")
SWEEP = 1.0
"""Seconds at most between two looks for what is idle."""
DRAIN = 60.0
"""Seconds that requests without a session have to end after a change."""


class Endpoint:
    """An ASGI application: one MCP server over HTTP."""

    def __init__(
        self, spec: ServerSpec | FederationSpec, make: MakeBackend, now: Callable[[], float]
    ) -> None:
        self.spec, self._make, self._now = spec, make, now
        self.tools = ToolsSeen()
        self.sessions = Sessions(now, self.tools)
        self.shared = self._shared()
        self._former: dict[Shared, float] = {}
        """What answered clients without sessions before a change, and when that was."""
        self._calls, self._quiet = 0, asyncio.Event()
        self.asked = 0
        """Requests of clients so far."""
        self._sweeper: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        call, fields = Call(receive, send), Fields(scope["headers"])
        self._calls += 1
        try:
            await self._answer(call, scope["method"], fields)
        except Gone:
            return
        except UNREADABLE as error:
            await call.answer(400, error_answer(None, PARSE_ERROR, f"Parse error: {error}"))
        except TooLarge:
            text = f"Invalid Request: longer than {self.spec.max_message} bytes"
            await call.answer(413, error_answer(None, INVALID_REQUEST, text))
        finally:
            self._calls -= 1
            if not self._calls:
                self._quiet.set()

    def start(self) -> None:
        """Begin to end what is idle."""
        self._sweeper = asyncio.create_task(self._sweep(), name=f"idle {self.spec.name}")

    def change(self, spec: ServerSpec | FederationSpec, make: MakeBackend) -> None:
        """Serve whoever comes by these. Sessions go on with what they began with until they end,
        and so do requests without a session."""
        self.spec, self._make = spec, make
        for session in self.sessions:
            session.former = True
        if self.shared.running:
            self.shared.hush()
            self._former[self.shared] = self._now()
        self.shared = self._shared()

    def _shared(self) -> Shared:
        most = self.spec.max_requests
        return Shared(self._make, self._now, self.tools, max_requests=most)

    async def drain(self, seconds: float) -> None:
        """End what only listens, and wait for the responses to requests."""
        self.shared.hush()
        for session in self.sessions:
            session.hush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._calls:
                    self._quiet.clear()
                    await self._quiet.wait()

    async def close(self, grace: float = 2.0) -> None:
        """End all sessions, and everything behind them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        ends = [shared.stop(grace) for shared in (self.shared, *self._former)]
        await asyncio.gather(self.sessions.close(grace), *ends)

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return self.shared.busy or self.sessions.busy

    # --- one request

    async def _answer(self, call: Call, method: str, fields: Fields) -> None:
        refusal = check_origin(fields, self.spec.origins)
        if refusal is not None:
            await _refuse(call, refusal)
        elif fields.get("mcp-protocol-version") >= MODERN:
            await self._modern(call, method, fields)
        elif method == "POST":
            await self._post(call, fields)
        elif method in ("GET", "DELETE"):
            await self._about_session(call, method, fields)
        else:
            await call.answer(405, headers=[(b"allow", b"GET, POST, DELETE")])

    async def _modern(self, call: Call, method: str, fields: Fields) -> None:
        if method != "POST":
            await call.answer(405, headers=[(b"allow", b"POST")])
            return
        if not fields.accepts("application/json", "text/event-stream"):
            await call.answer(406)
            return
        raw, envelope = await self._message(call)
        if envelope is None:
            return
        if envelope.kind == "notification":
            await call.answer(202)  # nothing that could be told to a server without sessions
        elif envelope.kind != "request":
            text = "Invalid Request: not a request or a notification"
            await call.answer(400, error_answer(None, INVALID_REQUEST, text))
        elif (refusal := check_modern(fields, envelope, raw)) is not None:
            await _refuse(call, refusal)
        else:
            shared = self.shared
            wrong = await check_params(fields, envelope, raw, shared.declared)
            if wrong is not None:
                await _refuse(call, wrong)
                return
            stream = await shared.ask(raw, envelope)
            if not await self._pour(call, stream, modern_status):
                await shared.left(stream)

    async def _post(self, call: Call, fields: Fields) -> None:
        if not fields.accepts("application/json", "text/event-stream"):
            await call.answer(406)
            return
        raw, envelope = await self._message(call)
        if envelope is None:
            return
        id = fields.get("mcp-session-id")
        if envelope.method == "initialize" and envelope.kind == "request" and not id:
            await self._initialize(call, raw, envelope)
            return
        session = await self._session(call, fields)
        if session is None:
            return
        if envelope.kind == "request":
            stream = await session.ask(raw, envelope)
            if not await self._pour(call, stream, plain_status):
                session.left(stream)
        else:
            await session.tell(raw, envelope)
            await call.answer(202)

    async def _message(self, call: Call) -> tuple[bytes, Envelope | None]:
        """Read one message; None if there is none, which is answered then."""
        raw = (await call.body(self.spec.max_message)).strip()
        try:
            envelope = read_envelope(raw)
        except Malformed as error:
            await call.answer(400, error_answer(error.id, error.code, str(error)))
            return raw, None
        # A message is one line on the way to a process.
        return raw.replace(b"\r", b" ").replace(b"\n", b" "), envelope

    async def _pour(self, call: Call, stream: Stream, status: Callable[[bytes], int]) -> bool:
        self.asked, done = self.asked + 1, False
        try:
            done = await call.stream(stream, status)
        finally:
            if not done:
                stream.leave()
        return done

    # --- sessions

    async def _initialize(self, call: Call, raw: bytes, envelope: Envelope) -> None:
        if len(self.sessions) >= self.spec.max_sessions:
            text = f"{self.spec.name} has {self.spec.max_sessions} sessions already"
            answer = error_answer(envelope.id, SERVER_DOWN, text, {"retry_after_ms": 1000})
            await call.answer(503, answer, [(b"retry-after", b"1")])
            return
        session = self.sessions.make(self.spec, self._make)
        try:
            await self.sessions.begin(session)
        except PlugbayError as error:
            after = {"retry_after_ms": round(session.backend.retry_after * 1000)}
            await call.answer(200, error_answer(envelope.id, SERVER_DOWN, error.detail, after))
            return
        stream = await session.ask(raw, envelope)
        header = [(b"mcp-session-id", session.id.encode())]
        if not await call.stream(stream, plain_status, headers=header):
            self.sessions.end(session)

    async def _about_session(self, call: Call, method: str, fields: Fields) -> None:
        session = await self._session(call, fields)
        if session is None:
            return
        if method == "DELETE":
            self.sessions.end(session)
            await call.answer(200)
            return
        if not fields.accepts("text/event-stream"):
            await call.answer(406)
            return
        stream = await self._listen(call, session, fields.get("last-event-id"))
        if stream is None:
            return
        done = False
        try:
            done = await call.stream(stream, plain_status, events=True)
        finally:
            if not done or stream.over:
                session.left(stream)

    async def _listen(self, call: Call, session: Session, last: str) -> Stream | None:
        """Return the stream that a GET wants; None if there is none, which is answered."""
        try:
            stream = session.resume(last) if last else session.listen()
        except Conflict:
            stream, last = None, ""
        if stream is None:
            # 404 would end the session (2025-11-25, transports: session management).
            text = f"the events behind {last} are gone" if last else "it has a stream already"
            await call.answer(410 if last else 409, error_answer(None, INVALID_REQUEST, text))
        return stream

    async def _session(self, call: Call, fields: Fields) -> Session | None:
        """Return the session that a request names; None if there is none, which is answered."""
        id, version = fields.get("mcp-session-id"), fields.get("mcp-protocol-version")
        session = self.sessions.find(id)
        if not id:
            text, status = "Bad Request: there is no Mcp-Session-Id", 400
        elif session is None:
            text, status = "Session not found", 404
        elif version and version not in HANDSHAKE_VERSIONS:
            text, status = f"Bad Request: unsupported protocol version {version}", 400
        else:
            session.protocol_version = version or session.protocol_version
            return session
        await call.answer(status, error_answer(None, INVALID_REQUEST, text))
        return None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP, self.spec.idle / 4))
            self.sessions.sweep(self.spec.idle, self.spec.name)
            late = self._now() - self.spec.idle
            for shared, since in tuple(self._former.items()):
                if not shared.busy or since < self._now() - DRAIN:
                    del self._former[shared]
                    await shared.stop()
            if self.shared.running and not self.shared.busy and self.shared.used < late:
                await self.shared.stop()


async def _refuse(call: Call, refusal: Refusal) -> None:
    await call.answer(refusal.status, refusal.body)
