"""Streamable HTTP: the messages in requests and responses that a gateway forwards.

Connections, headers, status codes and streams stay the gateway's: an `HttpBridge` is a filter at
the end of a route's chain, which looks at bodies. So it serves both eras of the protocol alike.
A route without MCP plugins costs nothing: then nothing is read.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from plugbay.kernel import Hook, StatelessInstance
from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INVALID_REQUEST, Malformed, read_envelope
from plugbay.mcp._framing import MAX_MESSAGE
from plugbay.mcp.conversation._batch import is_batch, receive_body, received
from plugbay.mcp.conversation._sent import Counts, Sent
from plugbay.mcp.hooks._told import session_opened
from plugbay.mcp.http._bodies import Events, Sealed, Whole
from plugbay.mcp.http._call import Call
from plugbay.mcp.http._carried import Carried
from plugbay.mcp.http._mirroring import Mirroring
from plugbay.mcp.http._sessions import SESSION, HttpSessions
from plugbay.sdk import BodyTooLarge, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from plugbay.mcp.conversation._batch import Received
    from plugbay.mcp.hooks._chain import Current
    from plugbay.mcp.hooks._observers import Observers
    from plugbay.sdk import Headers, Request, Timing

ENCODING, ACCEPTED = b"content-encoding", b"accept-encoding"
EVENTS, JSON = b"text/event-stream", b"application/json"
_PLAIN = frozenset((EVENTS, JSON))
STATE, IDENTITY = "plugbay.mcp", "identity"
"""Keys in `Request.state`: our own, and where an authenticating plugin says who the client is."""


class HttpBridge(StatelessInstance):
    """The MCP side of one route: an instance whose hooks the gateway calls."""

    def __init__(
        self,
        route: str,
        current: Current,
        observers: Observers,
        *,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        self.current = current
        self._limit = max_message
        self._mirroring, self.counts = Mirroring(), Counts()
        self._sessions = HttpSessions(route, current, observers, self.counts)
        self.hooks = {
            "on_request": Hook(self.on_request, coroutine=True),
            "on_response": Hook(self.on_response, coroutine=False),
            "request_body": Hook(self.request_body, coroutine=False),
            "response_body": Hook(self.response_body, coroutine=False),
            "on_complete": Hook(self.on_complete, coroutine=False),
            "tap_request": Hook(self.tap_request, coroutine=False),
            "tap_response": Hook(self.tap_response, coroutine=False),
            "tap_end": Hook(self.tap_end, coroutine=False),
        }

    async def stop(self) -> None:
        """Forget every session."""
        self._sessions.close()

    # --- as a filter

    async def on_request(self, request: Request) -> Response | None:
        """Read the message of a POST and pass it through its hooks."""
        begun: Call | None = request.state.get(STATE)
        call = self._begin(request) if begun is None else begun
        if call is None:
            return None
        if request.method != "POST":
            return await self._bodiless(request)
        if call.fields.get(ENCODING, b"identity") != b"identity":
            return Response.problem(415, "Unsupported Media Type", detail="send it uncompressed")
        try:
            body = await request.read(self._limit)
        except BodyTooLarge:
            return self._too_long()
        if not body:
            return None
        waiting, call.waiting = call.waiting, None
        if waiting is not None:
            sent = received(read_envelope(body), await waiting.run())
        else:
            said = Carried(call.fields)
            sent = await receive_body(call.conversation, "to-server", body, said)
        if sent.opens:
            refused = await session_opened(self.current.chain, call.conversation.session)
            if refused is not None:
                call.ids = sent.ids
                call.over()
                return _json(error_answer(sent.ids[0], refused.code, refused.reason), 200)
        call.ids = sent.ids
        return self._send(request, call, body, sent, sent.status)

    def tap_request(self, request: Request, body: bytes) -> object:
        """Pass the one message that a whole body is, if none of its hooks waits.

        Return None to send it as it is, bytes instead of it, a response, or `NotImplemented`:
        then `on_request` goes on.
        """
        call = self._begin(request)
        if call is None or not body:
            return None
        if request.method != "POST":
            return NotImplemented
        if call.fields.get(ENCODING, b"identity") != b"identity":
            return NotImplemented
        if len(body) > self._limit:
            return self._too_long()
        if is_batch(body):
            return NotImplemented
        try:
            envelope = read_envelope(body)
        except Malformed:
            return NotImplemented
        if envelope.method == "initialize":
            return NotImplemented
        sent = call.conversation.take("to-server", body, envelope, Carried(call.fields))
        if not isinstance(sent, Sent):
            call.waiting = sent
            return NotImplemented
        if sent.forward and envelope.kind == "request":
            call.ids = (envelope.id,)
        if sent.forward is body:
            return None
        return self._send(request, call, body, sent, 200) or call.body

    def _begin(self, request: Request) -> Call | None:
        """Know a request from now on; None if no plugin wants to see it."""
        if not self.current.chain.links:
            return None
        fields, state = dict(request.headers.raw), request.state
        conversation = self._sessions.find(request.client, state.get(IDENTITY), fields)
        call = state[STATE] = Call(conversation, fields)
        if ACCEPTED in fields:
            # What is compressed could not be looked into.
            _remove(request.headers, ACCEPTED, fields)
        return call

    def _send(
        self, request: Request, call: Call, body: bytes, sent: Received | Sent, status: int
    ) -> Response | None:
        """Answer, or let a message be sent, as it is or as it has become."""
        if not sent.forward:
            return _json(sent.back, status) if sent.back else Response(202)
        if sent.forward != body:
            call.body = sent.forward
            if sent.headers is not None:
                both = body, sent.forward
                self._mirroring.rewrite(request, both, sent.before or {}, sent.headers)
        return None

    async def _bodiless(self, request: Request) -> Response | None:
        """MCP has messages in POST only; in others a server might find one that no plugin saw."""
        with contextlib.suppress(BodyTooLarge):
            if not await request.read(self._limit):
                return None
        return Response.problem(400, "Bad Request", detail="a message is sent by POST")

    def _too_long(self) -> Response:
        text = f"Invalid Request: longer than {self._limit} bytes"
        return _json(error_answer(None, INVALID_REQUEST, text), 413)

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
        if SESSION not in call.fields and (begun := _value(response, SESSION)):
            call.conversation.session.id = begun.decode("latin-1")
            self._sessions.keep(call.conversation)
        status = response.status
        if status < 400:
            self._sessions.confirm(call.conversation)
        if status == 404 or (request.method == "DELETE" and status < 300):
            self._sessions.end(call.conversation)

    def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Pass what the server says through its hooks, message by message."""
        passing = self.tap_response(request, response)
        return chunks if passing is None else _passed(passing, chunks)

    def tap_response(self, request: Request, response: Response) -> Events | Whole | Sealed | None:
        """Return what a body of the server is to pass; None if nothing."""
        call: Call | None = request.state.get(STATE)
        if call is None:
            return None
        kind = content_type(response)
        if kind and (encoding := _encoding(response)):
            return Sealed(call, encoding, events=kind == EVENTS)
        if kind == EVENTS:
            return Events(call, self._mirroring, self._limit)
        if kind == JSON:
            return Whole(call, self._mirroring, self._limit, response.status)
        return None

    def on_complete(
        self, request: Request, response: Response | None, timing: Timing | None
    ) -> None:
        """Nobody waits for what was not answered."""
        self.tap_end(request)

    def tap_end(self, request: Request) -> None:
        """The same, at once."""
        call: Call | None = request.state.get(STATE)
        if call is not None:
            call.over()


async def _passed(
    passing: Events | Sealed | Whole, chunks: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Pass a body through, chunk by chunk."""
    async for chunk in chunks:
        if out := passing.feed(chunk):
            yield out
        if passing.waits:
            break
    if not passing.waits and (out := passing.end()):
        yield out
    if passing.waits:
        async for out in passing.rest(chunks):
            yield out


async def _instead(body: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Send a body, and throw another away."""
    yield body
    async for _ in chunks:
        pass


def content_type(response: Response) -> bytes:
    """Return the media type by which clients know a body, of the two that MCP has; empty: neither.

    They look for these words anywhere in the field, or at its beginning.
    """
    value = _value(response, b"content-type")
    if value in _PLAIN:
        return value
    named = b",".join(found for name, found in response.headers.raw if name == b"content-type")
    named = named.lower()
    return JSON if b"json" in named else EVENTS if b"event-stream" in named else b""


def _encoding(response: Response) -> bytes:
    """Return how a body is compressed; empty: it is not."""
    found = [value.lower() for name, value in response.headers.raw if name == ENCODING]
    return b",".join(value for value in found if value != b"identity")


def _value(response: Response, wanted: bytes) -> bytes:
    """Return the first value of a field, as it came; none is empty."""
    for name, value in response.headers.raw:
        if name == wanted:
            return value
    return b""


def _remove(headers: Headers, name: bytes, fields: Mapping[bytes, bytes]) -> None:
    """Remove a field; `fields` says the same as the headers."""
    if len(fields) == len(headers.raw):
        headers.raw.remove((name, fields[name]))
    else:  # some come more than once
        headers.remove(name.decode())


def _json(body: bytes, status: int) -> Response:
    return Response(status, {"content-type": "application/json"}, body)
