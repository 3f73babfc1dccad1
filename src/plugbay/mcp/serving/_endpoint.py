"""Streamable HTTP before servers that do not speak it, in both eras of the protocol.

Up to 2025-11-25 a client begins a session with `initialize`, and has a backend of its own; from
2026-07-28 on there are no sessions, and all clients share one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import TYPE_CHECKING, Any

from plugbay.kernel import PlugbayError
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import INVALID_REQUEST, Malformed, decode, read_envelope
from plugbay.mcp.serving._checks import (
    HANDSHAKE_VERSIONS,
    MODERN,
    STATUS,
    Fields,
    Refusal,
    check_modern,
    check_origin,
    check_params,
)
from plugbay.mcp.serving._http import Call, Gone, TooLarge
from plugbay.mcp.serving._json import as_object
from plugbay.mcp.serving._session import Session
from plugbay.mcp.serving._shared import Shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp.serving._backend import MakeBackend
    from plugbay.mcp.serving._http import Receive, Send
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
        self.sessions: dict[str, Session] = {}
        self.shared = Shared(make, now, max_requests=spec.max_requests)
        self._former: dict[Shared, float] = {}
        """What answered clients without sessions before a change, and when that was."""
        self._starting = self._calls = 0
        self._quiet = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        call, fields = Call(receive, send), Fields(scope["headers"])
        self._calls += 1
        try:
            await self._answer(call, scope["method"], fields)
        except Gone:
            return
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
        for session in self.sessions.values():
            session.former = True
        if self.shared.running:
            self.shared.hush()
            self._former[self.shared] = self._now()
        self.shared = Shared(make, self._now, max_requests=spec.max_requests)

    async def drain(self, seconds: float) -> None:
        """End what only listens, and wait for the responses to requests."""
        self.shared.hush()
        for session in self.sessions.values():
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
        sessions = list(self.sessions.values())
        self.sessions.clear()
        ends = [session.close(grace) for session in sessions]
        ends += [shared.stop(grace) for shared in (self.shared, *self._former)]
        await asyncio.gather(*ends, *self._closing)

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return self.shared.busy or any(session.busy for session in self.sessions.values())

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
            if not await self._pour(call, stream, _modern_status):
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
            if not await self._pour(call, stream, _status):
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
        done = False
        try:
            done = await call.stream(stream, status)
        finally:
            if not done:
                stream.leave()
        return done

    # --- sessions

    async def _initialize(self, call: Call, raw: bytes, envelope: Envelope) -> None:
        if len(self.sessions) + self._starting >= self.spec.max_sessions:
            text = f"{self.spec.name} has {self.spec.max_sessions} sessions already"
            answer = error_answer(envelope.id, SERVER_DOWN, text, {"retry_after_ms": 1000})
            await call.answer(503, answer, [(b"retry-after", b"1")])
            return
        session = Session(
            secrets.token_hex(16), self._make, self._now, max_requests=self.spec.max_requests
        )
        self._starting += 1
        try:
            await session.backend.start()
        except PlugbayError as error:
            after = {"retry_after_ms": round(session.backend.retry_after * 1000)}
            await call.answer(200, error_answer(envelope.id, SERVER_DOWN, error.detail, after))
            return
        finally:
            self._starting -= 1
        self.sessions[session.id] = session
        stream = await session.ask(raw, envelope)
        header = [(b"mcp-session-id", session.id.encode())]
        if not await call.stream(stream, _status, headers=header):
            await self._end(session)

    async def _about_session(self, call: Call, method: str, fields: Fields) -> None:
        session = await self._session(call, fields)
        if session is None:
            return
        if method == "DELETE":
            await self._end(session)
            await call.answer(200)
            return
        if not fields.accepts("text/event-stream"):
            await call.answer(406)
            return
        stream = session.listen()
        if stream is None:
            text = "Conflict: the session has a stream already"
            await call.answer(409, error_answer(None, INVALID_REQUEST, text))
            return
        try:
            await call.stream(stream, _status, events=True)
        finally:
            session.left(stream)

    async def _session(self, call: Call, fields: Fields) -> Session | None:
        """Return the session that a request names; None if there is none, which is answered."""
        id, version = fields.get("mcp-session-id"), fields.get("mcp-protocol-version")
        session = self.sessions.get(id)
        if not id:
            text, status = "Bad Request: there is no Mcp-Session-Id", 400
        elif session is None or session.backend.over:
            text, status = "Session not found", 404
            if session is not None:
                await self._end(session)
        elif version and version not in HANDSHAKE_VERSIONS:
            text, status = f"Bad Request: unsupported protocol version {version}", 400
        else:
            return session
        await call.answer(status, error_answer(None, INVALID_REQUEST, text))
        return None

    async def _end(self, session: Session) -> None:
        """End a session; whoever waits for its process is not waited for."""
        if self.sessions.pop(session.id, None) is not None:
            task = asyncio.create_task(session.close(), name=f"end {session.id[:8]}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _sweep(self) -> None:
        idle = self.spec.idle
        while True:
            await asyncio.sleep(min(SWEEP, idle / 4))
            late = self._now() - idle
            for session in [s for s in self.sessions.values() if s.used < late and not s.busy]:
                _log.info("a session of %s was idle and has ended", self.spec.name)
                await self._end(session)
            for shared, since in tuple(self._former.items()):
                if not shared.busy or since < self._now() - DRAIN:
                    del self._former[shared]
                    await shared.stop()
            if self.shared.running and not self.shared.busy and self.shared.used < late:
                await self.shared.stop()


async def _refuse(call: Call, refusal: Refusal) -> None:
    await call.answer(refusal.status, refusal.body)


def _status(raw: bytes) -> int:
    """In the era of sessions an answer is an answer, whatever it says."""
    del raw
    return 200


def _modern_status(raw: bytes) -> int:
    if b'"error"' not in raw[-65536:] and b'"error"' not in raw[:65536]:
        return 200
    code: object = as_object(as_object(decode(raw)).get("error")).get("code", 0)
    return STATUS.get(code, 200) if isinstance(code, int) else 200
