"""One server for all clients without sessions (2026-07-28): each request says all there is to know.

Their ids may be the same, so the server gets others: of the requests, of progress, of
subscriptions and of cancellations. The rest of a message passes as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.kernel import PlugbayError
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import encode
from plugbay.mcp._json import UNREADABLE, Members, members_of
from plugbay.mcp.process._child import exit_code
from plugbay.mcp.serving._declared import Declared
from plugbay.mcp.serving._lines import messages, no_answer
from plugbay.mcp.serving._stream import Stream
from plugbay.mcp.serving._tools_seen import LISTING

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.serving._backend import Backend, MakeBackend
    from plugbay.mcp.serving._tools_seen import ToolsSeen

_log = logging.getLogger("plugbay.mcp")
_VALUE = msgspec.json.Decoder()
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class Asked:
    """A request that is with the server, under a number of ours."""

    __slots__ = ("id", "method", "stream", "token")

    def __init__(self, id: msgspec.Raw, method: str, token: msgspec.Raw | None) -> None:
        self.id, self.method, self.token = id, method, token
        self.stream = Stream(_VALUE.decode(id))


class Shared:
    """All clients without sessions, and their one backend, which is started when one comes."""

    def __init__(
        self, make: MakeBackend, now: Callable[[], float], tools: ToolsSeen, *, max_requests: int
    ) -> None:
        self._make, self._now, self._most, self._tools = make, now, max_requests, tools
        self._backend: Backend | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._asked: dict[int, Asked] = {}
        self.used = now()
        self.dropped = 0
        self.declared = Declared(self)

    @property
    def backend(self) -> Backend | None:
        """What answers, if somebody has asked already."""
        return self._backend

    @property
    def running(self) -> bool:
        """Whether there is a backend."""
        return self._backend is not None

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return bool(self._asked)

    async def ask(self, raw: bytes, envelope: Envelope) -> Stream:
        """Send a request on, and return what its response carries."""
        self.used = self._now()
        members = members_of(raw)
        if len(self._asked) >= self._most:
            return _refused(envelope.id, "too many requests are in flight", 1.0)
        try:
            backend = await self._running()
        except PlugbayError as error:
            return _refused(envelope.id, error.detail, 1.0)
        number = next(self._numbers)
        asked = Asked(members["id"], envelope.method, _renumber(members, number))
        self._asked[number] = asked
        if envelope.method == LISTING:
            self._tools.expect(asked.stream, raw)
        await backend.send(encode(members))
        return asked.stream

    async def left(self, stream: Stream) -> None:
        """A client has closed its response: that is how it cancels (2026-07-28, transports)."""
        stream.leave()
        for number, asked in tuple(self._asked.items()):
            if asked.stream is stream:
                del self._asked[number]
                await self._cancel(number)

    def hush(self) -> None:
        """End subscriptions, as a server does that says goodbye: their clients ask again."""
        for number, asked in tuple(self._asked.items()):
            if asked.method == "subscriptions/listen":
                del self._asked[number]
                over = _subscribed(msgspec.Raw(b'{"resultType":"complete"}'), asked.id)
                asked.stream.end(encode({"jsonrpc": "2.0", "id": asked.id, "result": over}))

    async def stop(self, grace: float = 2.0) -> None:
        """End the backend; the next request starts another."""
        backend, self._backend = self._backend, None
        self._abandon("the MCP server was stopped", {})
        if backend is not None:
            await backend.stop(grace)

    async def _running(self) -> Backend:
        async with self._starting:
            if self._backend is not None and self._backend.over:
                await self._backend.stop()
                self._backend = None
            if self._backend is None:
                backend = self._make(self)
                await backend.start()
                self._backend = backend
            return self._backend

    async def _cancel(self, number: int) -> None:
        if self._backend is not None:
            params = {"requestId": number, "reason": "the client has closed the response"}
            notice = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            await self._backend.send(encode(notice))

    # --- from the backend

    async def hear(self, lines: list[bytes | TooLong]) -> None:
        """Take lines of the server to the responses that they belong to."""
        for raw, envelope in messages(lines):
            if envelope.kind in ("response", "error"):
                self._answer(raw, envelope)
                continue
            try:
                await self._said(raw, envelope)
            except UNREADABLE:
                _log.warning("the server wrote what cannot be read, dropped: %.200r", raw)

    async def gone(self, code: int) -> None:
        """The process has ended: answer for it."""
        text = f"the MCP server has ended with code {exit_code(code)}"
        self._abandon(text, {"exit": exit_code(code)})

    async def refused(self) -> None:
        """There is no process: answer at once."""
        self._abandon("the MCP server is not running now", {})

    async def back(self) -> None:
        """There is a process again: what comes now reaches it."""

    async def stderr(self, line: str) -> None:
        """Log it."""
        _log.info("%s", line[:2000])

    def _answer(self, raw: bytes, envelope: Envelope) -> None:
        asked = self._asked.pop(envelope.id, None) if isinstance(envelope.id, int) else None
        if asked is None:
            self.dropped += 1
            return
        try:
            members = members_of(raw)
        except UNREADABLE as error:
            asked.stream.end(no_answer(asked.stream.id, error))
            return
        members["id"] = asked.id
        if asked.method == "subscriptions/listen" and "result" in members:
            members["result"] = _subscribed(members["result"], asked.id)
        asked.stream.end(encode(members))

    async def _said(self, raw: bytes, envelope: Envelope) -> None:
        members = members_of(raw)
        params = _object(members.get("params"))
        asked = self._about(params)
        if asked is None and envelope.kind == "notification":
            # A pipe does not say whose it is: it may only be told where there is no other.
            calls = [a for a in self._asked.values() if a.method != "subscriptions/listen"]
            asked = calls[0] if len(calls) == 1 else None
        if asked is None:
            self.dropped += 1
            return
        meta = _object(params.get("_meta"))
        if SUBSCRIPTION in meta:
            params["_meta"] = msgspec.Raw(encode({**meta, SUBSCRIPTION: asked.id}))
        if "progressToken" in params and asked.token is not None:
            params["progressToken"] = asked.token
        if params:
            members["params"] = msgspec.Raw(encode(params))
        asked.stream.put(encode(members))
        if asked.stream.full:
            # One that does not read must not hold up the others.
            _log.warning("a client does not read its response, which is broken off")
            asked.stream.end()
            await self.left(asked.stream)

    def _about(self, params: Members) -> Asked | None:
        for holder, key in (
            (params, "progressToken"),
            (_object(params.get("_meta")), SUBSCRIPTION),
        ):
            if key in holder:
                number = _VALUE.decode(holder[key])
                return self._asked.get(number) if isinstance(number, int) else None
        return None

    def _abandon(self, text: str, facts: dict[str, Any]) -> None:
        after = 0.0 if self._backend is None else self._backend.retry_after
        facts = {**facts, "retry_after_ms": round(after * 1000)}
        asked, self._asked = self._asked, {}
        for one in asked.values():
            with contextlib.suppress(RuntimeError):
                one.stream.end(error_answer(one.stream.id, SERVER_DOWN, text, facts))


def _refused(id: Id, text: str, after: float) -> Stream:
    stream = Stream(id)
    stream.end(error_answer(id, SERVER_DOWN, text, {"retry_after_ms": round(after * 1000)}))
    return stream


def _object(raw: msgspec.Raw | None) -> Members:
    try:
        return {} if raw is None else members_of(raw)
    except UNREADABLE:
        return {}


def _renumber(members: Members, number: int) -> msgspec.Raw | None:
    """Put our number for the id and for the token of progress; return the client's token."""
    own = msgspec.Raw(b"%d" % number)
    members["id"] = own
    params = _object(members.get("params"))
    meta = _object(params.get("_meta"))
    token = meta.get("progressToken")
    if token is not None:
        params["_meta"] = msgspec.Raw(encode({**meta, "progressToken": own}))
        members["params"] = msgspec.Raw(encode(params))
    return token


def _subscribed(result: msgspec.Raw, id: msgspec.Raw) -> msgspec.Raw:
    members = _object(result)
    meta = _object(members.get("_meta"))
    meta[SUBSCRIPTION] = id
    members["_meta"] = msgspec.Raw(encode(meta))
    return msgspec.Raw(encode(members))
