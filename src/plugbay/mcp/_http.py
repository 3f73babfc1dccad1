"""Streamable HTTP: the messages in requests and responses that a gateway forwards.

Connections, headers, status codes and streams stay the gateway's: an `HttpBridge` is a filter at
the end of a route's chain, which looks at bodies. So it serves both eras of the protocol alike.
A route without MCP plugins costs nothing: then nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from plugbay.kernel import Hook
from plugbay.mcp._answers import error_answer
from plugbay.mcp._batch import receive_body
from plugbay.mcp._codec import INVALID_REQUEST
from plugbay.mcp._conversation import Conversation
from plugbay.mcp._framing import MAX_MESSAGE
from plugbay.mcp._mirroring import Mirroring
from plugbay.mcp._sse import EventSplitter, event_data, with_data
from plugbay.mcp._told import session_opened, tell
from plugbay.sdk import BodyTooLarge, McpSession, Response
from plugbay.sdk.protection import address_identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from plugbay.mcp._chain import Current
    from plugbay.mcp._codec import Id
    from plugbay.mcp._observers import Observers
    from plugbay.sdk import Request, Timing

_log = logging.getLogger("plugbay.mcp")
SESSION = "mcp-session-id"
SESSIONS = 10_000
"""Sessions of the handshake era whose server requests can be told from others."""
STATE, IDENTITY = "plugbay.mcp", "identity"
"""Keys in `Request.state`: our own, and where an authenticating plugin says who the client is."""


class Call:
    """One HTTP request of a client and what is known of it."""

    __slots__ = ("body", "conversation", "ids")

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.body: bytes | None = None
        self.ids: tuple[Id, ...] = ()


class HttpBridge:
    """The MCP side of one route: a `kernel.Instance` whose hooks the gateway calls."""

    def __init__(
        self,
        route: str,
        current: Current,
        observers: Observers,
        *,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        self.current = current
        self._route, self._observers, self._limit = route, observers, max_message
        self._sessions: OrderedDict[tuple[str, str], Conversation] = OrderedDict()
        self._mirroring = Mirroring()
        self._farewells: set[asyncio.Task[None]] = set()
        self.hooks: Mapping[str, Hook] = {
            "on_request": Hook(self.on_request, coroutine=True),
            "on_response": Hook(self.on_response, coroutine=False),
            "request_body": Hook(self.request_body, coroutine=False),
            "response_body": Hook(self.response_body, coroutine=False),
            "on_complete": Hook(self.on_complete, coroutine=False),
        }

    # --- as an instance

    async def start(self) -> None:
        """It is there from the start."""

    async def stop(self) -> None:
        """Forget every session."""
        for conversation in self._sessions.values():
            conversation.close()
        self._sessions.clear()

    async def health(self) -> None:
        """It is always well."""

    async def snapshot(self) -> bytes | None:
        """It keeps no state that could be handed over."""
        return None

    async def restore(self, state: bytes) -> None:
        """It takes none."""

    # --- as a filter

    async def on_request(self, request: Request) -> Response | None:
        """Read the message of a POST and pass it through its hooks."""
        if not self.current.chain.links:
            return None
        conversation = self._conversation(request)
        call = request.state[STATE] = Call(conversation)
        # A compressed answer could not be looked into.
        request.headers.remove("accept-encoding")
        if request.method != "POST":
            return None
        if request.headers.get("content-encoding", "identity") != "identity":
            return Response.problem(415, "Unsupported Media Type", detail="send it uncompressed")
        try:
            body = await request.read(self._limit)
        except BodyTooLarge:
            text = f"Invalid Request: longer than {self._limit} bytes"
            return _json(error_answer(None, INVALID_REQUEST, text), 413)
        if not body:
            return None
        sent = await receive_body(conversation, "to-server", body, dict(request.headers))
        call.ids = sent.ids
        if sent.opens and (refused := await session_opened(self.current.chain, self._who(call))):
            self.on_complete(request, None, None)
            return _json(error_answer(sent.ids[0], refused.code, refused.reason), 200)
        if not sent.forward:
            return _json(sent.back, sent.status) if sent.back else Response(202)
        if sent.forward != body:
            call.body = sent.forward
            if sent.headers is not None:
                both = body, sent.forward
                self._mirroring.rewrite(request, both, sent.before or {}, sent.headers)
        return None

    def request_body(self, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Send the body, or what the plugins have made of it."""
        call: Call | None = request.state.get(STATE)
        if call is None or call.body is None:
            return chunks
        return _instead(call.body, chunks)

    def on_response(self, request: Request, response: Response) -> None:
        """Remember the session that an `initialize` has begun; forget one that is gone."""
        call: Call | None = request.state.get(STATE)
        if call is None:
            return
        begun = response.headers.get(SESSION)
        if begun is not None and request.headers.get(SESSION) is None:
            call.conversation.session.id = begun
            self._keep(call.conversation)
        ended = request.method == "DELETE" and response.status < 300
        if ended or response.status == 404:
            session = call.conversation.session
            if self._sessions.pop((session.identity, session.id), None) is not None:
                self._ended(call.conversation)

    def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Pass what the server says through its hooks, message by message."""
        call: Call | None = request.state.get(STATE)
        if call is None:
            return chunks
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return self._events(call, chunks)
        if kind == "application/json":
            return self._whole(call, response.status, chunks)
        return chunks

    def on_complete(
        self, request: Request, response: Response | None, timing: Timing | None
    ) -> None:
        """Nobody waits for what was not answered."""
        call: Call | None = request.state.get(STATE)
        if call is not None:
            ids, call.ids = call.ids, ()
            for id in ids:
                call.conversation.forget(id)
            if not call.conversation.session.id:
                call.conversation.close()  # it was for this request only

    # --- bodies

    async def _events(self, call: Call, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        splitter = EventSplitter(self._limit)
        async for chunk in chunks:
            out: list[bytes] = []
            for event in splitter.feed(chunk):
                data = event_data(event)
                if not data:
                    out.append(event)
                    continue
                self._mirroring.learn(data)
                sent = await receive_body(call.conversation, "to-client", data)
                if sent.forward:
                    out.append(event if sent.forward == data else with_data(event, sent.forward))
            if out:
                yield b"".join(out)
        if splitter.rest:
            yield splitter.rest

    async def _whole(
        self, call: Call, status: int, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        parts: list[bytes] = []
        size = 0
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > self._limit:
                _log.warning("a response of %s is longer than %d bytes", self._route, self._limit)
                text = f"Internal error: a response longer than {self._limit} bytes"
                yield error_answer(call.ids[0] if call.ids else None, -32603, text)
                return
        body = b"".join(parts)
        self._mirroring.learn(body)
        sent = await receive_body(call.conversation, "to-client", body)
        # An error of the server that is no JSON-RPC is told as it is.
        yield body if sent.malformed and status >= 400 else sent.forward

    # --- sessions

    def _conversation(self, request: Request) -> Conversation:
        """Return the conversation of a session; a new one where there is none."""
        told = request.state.get(IDENTITY)
        identity = told if isinstance(told, str) else address_identity(request.client)
        id = request.headers.get(SESSION, "")
        known = self._sessions.get((identity, id)) if id else None
        if known is not None:
            self._sessions.move_to_end((identity, id))
            return known
        session = McpSession(id=id, server=self._route, transport="http", identity=identity)
        made = Conversation(self.current, session, self._observers, strict=False)
        if id:
            session.era = "handshake"
            self._keep(made)
        return made

    def _keep(self, conversation: Conversation) -> None:
        session = conversation.session
        self._sessions[session.identity, session.id] = conversation
        if len(self._sessions) > SESSIONS:
            _, oldest = self._sessions.popitem(last=False)
            oldest.close()
            self._ended(oldest)

    def _ended(self, conversation: Conversation) -> None:
        """Tell the plugins that a session is over."""
        chain = self.current.chain
        if chain.hooks("on_session_end"):
            work = tell(chain, "on_session_end", conversation.session)
            task = asyncio.get_running_loop().create_task(work)
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    @staticmethod
    def _who(call: Call) -> McpSession:
        return call.conversation.session


async def _instead(body: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Send a body, and throw another away."""
    yield body
    async for _ in chunks:
        pass


def _json(body: bytes, status: int) -> Response:
    return Response(status, {"content-type": "application/json"}, body)
