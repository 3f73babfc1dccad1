"""The hooks of a plugin in a process: coroutines that the chain binds like any other plugin's."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

from plugbay.kernel import Hook, PlugbayError
from plugbay.runtimes._capabilities import MCP_HOOKS
from plugbay.runtimes.process._bodies import BodyCall, FollowingBody, transform
from plugbay.runtimes.process._calling import Calling
from plugbay.runtimes.process._codec import (
    WrongAnswer,
    change_request,
    change_response,
    read_response,
    write_request,
    write_response,
    write_timing,
)
from plugbay.runtimes.process._mcp_hooks import RemoteMcpHooks
from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.runtimes.process._remembered import Remembered
from plugbay.sdk import BodyTooLarge, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.kernel import LoadRequest
    from plugbay.runtimes.process._keeper import Keeper
    from plugbay.runtimes.process._session import Description, Session
    from plugbay.runtimes.process._stream import Answer, HookStream
    from plugbay.sdk import Event, Request, Timing

    Answered = tuple[Response | None, int]

_PLAIN = frozenset(("request_body", "response_body", "on_complete", "on_event"))


class RemoteHooks:
    """Calls the process that runs now. Between two of them every call fails at once."""

    def __init__(
        self, request: LoadRequest, description: Description, keeper: Keeper[Session]
    ) -> None:
        manifest = request.manifest
        self._calling = Calling(manifest.id, request.generation, keeper)
        self._mcp = RemoteMcpHooks(self._calling, manifest.mcp.hook_ms)
        self._deadline = manifest.limits.request_ms
        self._unary = description.unary
        self._request_fields = description.request_fields
        self._response_fields = description.response_fields
        self._key = f"plugbay.process:{manifest.id}"
        self.topics = description.topics
        """Read by the event bus."""

    def bound(self, description: Description) -> dict[str, Hook]:
        """Return the hooks that the plugin has."""
        own = sorted(description.hooks.difference(MCP_HOOKS))
        found = {name: Hook(getattr(self, name), coroutine=name not in _PLAIN) for name in own}
        return found | self._mcp.bound(description.hooks)

    async def on_request(self, request: Request) -> Response | None:
        """Ask the plugin; change the request as it says. Raises `HookFailed`."""
        session = self._calling.session()
        if self._unary:
            frame = pb.Frame(id=1)
            write_request(frame.request, request, self._request_fields, self._deadline)
            answer = await session.client.handle(frame, None)
            return self._requested(answer.WhichOneof("what") or "", answer, request)[0]
        with self._calling.call(session) as (stream, id, sink):
            self._write_request(stream.frame(id).request, request, session)
            what, reply = await sink.next()
            while what == "read_body":
                await _tell_body(stream, id, request, reply.read_body.limit)
                what, reply = await sink.next()
        return self._followed(self._requested(what, reply, request), request, session, sink, id)

    async def on_response(self, request: Request, response: Response) -> Response | None:
        """Ask the plugin; change the response as it says. Raises `HookFailed`."""
        session = self._calling.session()
        if self._unary:
            frame = pb.Frame(id=1)
            self._write_response(frame.response, request, response, session)
            answer = await session.client.handle(frame, None)
            return self._responded(answer.WhichOneof("what") or "", answer, response)[0]
        with self._calling.call(session) as (stream, id, sink):
            self._write_response(stream.frame(id).response, request, response, session)
            what, reply = await sink.next()
        return self._followed(self._responded(what, reply, response), request, session, sink, id)

    async def request_body(
        self, request: Request, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield what the plugin makes of the chunks. Raises `HookFailed`."""
        session, body = self._calling.session(), BodyCall(self._calling.failed)
        stream = self._calling.stream(session)
        id = stream.begin(body)
        self._write_request(stream.frame(id).open_body.request, request, session, deadline=False)
        async with aclosing(transform(stream, id, body, chunks)) as changed:
            async for data in changed:
                yield data

    async def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield what the plugin makes of the chunks. Raises `HookFailed`."""
        session, body = self._calling.session(), BodyCall(self._calling.failed)
        stream = self._calling.stream(session)
        id = stream.begin(body)
        opened = stream.frame(id).open_body
        self._write_request(opened.request, request, session, deadline=False)
        write_response(opened.response, response, self._response_fields)
        async with aclosing(transform(stream, id, body, chunks)) as changed:
            async for data in changed:
                yield data

    def on_complete(self, request: Request, response: Response | None, timing: Timing) -> None:
        """Tell the plugin; nobody waits for it. Raises `HookFailed` if it cannot be told."""
        session = self._calling.session()
        complete = self._calling.stream(session).frame().complete
        self._write_request(complete.request, request, session, deadline=False)
        if response is not None:
            write_response(complete.response, response, self._response_fields)
        write_timing(complete, timing)

    def on_event(self, event: Event) -> None:
        """Tell the plugin; nobody waits for it. Raises `HookFailed` if it cannot be told."""
        told = self._calling.stream(self._calling.session()).frame().event
        told.topic, told.source, told.time = event.topic, event.source, event.time
        told.data = json.dumps(dict(event.data), default=str)

    def _write_request(
        self, head: pb.RequestHead, request: Request, session: Session, *, deadline: bool = True
    ) -> None:
        fields, milliseconds = self._request_fields, self._deadline if deadline else 0
        write_request(head, request, fields, milliseconds)
        known = request.state.get(self._key)
        if isinstance(known, Remembered) and known.session is session:
            head.state = known.number

    def _write_response(
        self, head: pb.ResponseHead, request: Request, response: Response, session: Session
    ) -> None:
        self._write_request(head.request, request, session)
        write_response(head, response, self._response_fields)

    def _followed(
        self, answer: Answered, request: Request, session: Session, sink: Answer, id: int
    ) -> Response | None:
        """Note what the plugin remembers, and give a response the body that follows it."""
        response, number = answer
        if number:
            known = request.state.get(self._key)
            if not isinstance(known, Remembered) or known.session is not session:
                request.state[self._key] = Remembered(session, number)
        if response is not None and sink.body is not None and session.stream is not None:
            response.body = FollowingBody(session.stream, id, sink.body)
        return response

    def _requested(self, what: str, reply: pb.Frame, request: Request) -> Answered:
        try:
            if what == "proceed":
                change_request(request, reply.proceed)
                return None, reply.proceed.state
            if what == "respond":
                return read_response(reply.respond), reply.respond.state
        except WrongAnswer as error:
            raise self._calling.wrong(str(error)) from None
        raise self._calling.unexpected(what, reply)

    def _responded(self, what: str, reply: pb.Frame, response: Response) -> Answered:
        try:
            if what == "proceed":
                change_response(response, reply.proceed)
                return None, reply.proceed.state
            if what == "respond":
                return read_response(reply.respond, upstream=True), reply.respond.state
        except WrongAnswer as error:
            raise self._calling.wrong(str(error)) from None
        raise self._calling.unexpected(what, reply)


async def _tell_body(stream: HookStream, id: int, request: Request, limit: int) -> None:
    """Buffer the request's body and send it, or say why not."""
    try:
        data = await request.read(limit)
    except BodyTooLarge:
        stream.frame(id).body.too_large = True
        return
    except (asyncio.CancelledError, PlugbayError):
        raise
    except Exception:  # noqa: BLE001 - the client went away: the plugin hears of it
        stream.frame(id).body.broken = True
        return
    stream.frame(id).body.data = data
