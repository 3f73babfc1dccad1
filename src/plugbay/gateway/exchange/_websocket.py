"""WebSockets of mounted applications (RFC 6455): framing by wsproto, ASGI on top."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from wsproto.connection import Connection, ConnectionType
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Ping,
    TextMessage,
)
from wsproto.events import (
    Message as WsMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from plugbay.gateway.chain._link import FAULTS
from plugbay.gateway.exchange._body import HIGH, LOW, Gate
from plugbay.gateway.message._framing import HANDLER
from plugbay.gateway.message._problem import problem
from plugbay.observability import active_trace

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from plugbay.gateway.chain._link import Link
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.message._wire import Fields

    Message = MutableMapping[str, Any]

MAX_MESSAGE = 16 * 1024 * 1024
_ABNORMAL, _TOO_BIG, _INTERNAL = 1006, 1009, 1011


class AppSocket:
    """One WebSocket inside an application; the sink of the bytes that the client sends."""

    __slots__ = (
        "_accepted",
        "_closed",
        "_exchange",
        "_gate",
        "_incoming",
        "_link",
        "_partial",
        "_parts",
        "_scope",
        "_size",
        "_task",
        "_waiter",
        "_ws",
    )

    def __init__(self, exchange: Exchange, link: Link, scope: dict[str, Any]) -> None:
        self._exchange, self._link, self._scope = exchange, link, scope
        offered = exchange.request.headers.get("sec-websocket-protocol", "")
        scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]
        self._ws = Connection(ConnectionType.SERVER)
        self._gate = Gate()
        self._incoming: deque[tuple[int, Message]] = deque()
        self._size = self._partial = 0
        self._parts: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None
        self._accepted = self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self, hook: Any) -> None:
        """Check the handshake and call the application in a task of its own."""
        exchange = self._exchange
        headers = exchange.request.headers
        if exchange.head.method != b"GET" or headers.get("sec-websocket-key") is None:
            exchange.answer(problem(400, "this is no WebSocket handshake"))
            return
        if headers.get("sec-websocket-version") != "13":
            response = problem(426, "the version of WebSocket spoken is 13")
            response.headers.set("sec-websocket-version", "13")
            exchange.answer(response)
            return
        self._put({"type": "websocket.connect"}, 0)
        exchange.take(self)
        self._task = exchange.handle(self._run(hook.call))

    async def _run(self, app: Any) -> None:
        link, exchange = self._link, self._exchange
        active_trace.set(exchange.trace)
        try:
            await app(self._scope, self._receive, self._send)
        except FAULTS as error:
            if not exchange.finished:
                link.failed(error, exchange.request)
                self._end(_INTERNAL, "")
        else:
            link.succeeded()
            link.series.answered += 1
            self._end(1000, "")

    def _end(self, code: int, reason: str) -> None:
        """Close the WebSocket, or refuse it if it was not accepted yet."""
        exchange = self._exchange
        if exchange.finished:
            return
        if not self._accepted:
            status = 500 if code == _INTERNAL else 403
            exchange.fail(status, f"plugin {self._link.id} refused the WebSocket")
            return
        if not self._closed:
            self._closed = True
            self._write(self._ws.send(CloseConnection(code=code, reason=reason or None)))
        exchange.response_end([])

    def _write(self, data: bytes) -> None:
        if data:
            self._exchange.response_data(data)
            self._exchange.flush()

    # --- the application's side

    async def _receive(self) -> Message:
        while not self._incoming:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        size, message = self._incoming.popleft()
        self._size -= size
        if self._size < LOW:
            self._exchange.connection.resume(HANDLER)
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._exchange.finished or self._closed:
            return
        if kind == "websocket.accept" and not self._accepted:
            self._accept(message)
        elif kind == "websocket.close":
            self._end(int(message.get("code") or 1000), str(message.get("reason") or ""))
        elif kind == "websocket.send" and self._accepted:
            text = message.get("text")
            data = message.get("bytes")
            event = TextMessage(text) if text is not None else BytesMessage(bytes(data or b""))
            self._write(self._ws.send(event))
            if not self._gate.open:
                await self._gate.wait()
        else:
            raise RuntimeError(f"the application sent {kind} at the wrong time")

    def _accept(self, message: Message) -> None:
        exchange = self._exchange
        key = exchange.request.headers.get("sec-websocket-key", "")
        fields: Fields = [(bytes(n).lower(), bytes(v)) for n, v in message.get("headers", ())]
        fields.append((b"sec-websocket-accept", generate_accept_token(key.encode("latin-1"))))
        protocol = message.get("subprotocol")
        if protocol:
            fields.append((b"sec-websocket-protocol", str(protocol).encode("latin-1")))
        self._accepted = True
        exchange.switch(fields)

    # --- the client's side

    def data(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                self._take(event)
        except RemoteProtocolError as error:
            close = error.event_hint
            code = int(close.code) if isinstance(close, CloseConnection) else 1002
            self._lost(code, reply=True)
        except LocalProtocolError:
            self._lost(_ABNORMAL, reply=False)

    def _take(self, event: Any) -> None:
        if isinstance(event, WsMessage):
            data = cast("Any", event).data
            self._parts.append(data)
            self._partial += len(data)
            if self._partial > MAX_MESSAGE:
                self._lost(_TOO_BIG, reply=True)
            elif event.message_finished:
                parts, self._parts, self._partial = self._parts, [], 0
                self._message(parts, text=isinstance(event, TextMessage))
        elif isinstance(event, Ping):
            self._write(self._ws.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._closed = True
            self._write(self._ws.send(event.response()))
            self._put({"type": "websocket.disconnect", "code": int(event.code)}, 0)

    def _message(self, parts: list[Any], *, text: bool) -> None:
        message: Message = {"type": "websocket.receive"}
        message["text" if text else "bytes"] = whole = ("" if text else b"").join(parts)
        self._put(message, len(whole))

    def _lost(self, code: int, *, reply: bool) -> None:
        """The client broke the protocol: tell both sides."""
        if reply and not self._closed:
            self._write(self._ws.send(CloseConnection(code=code)))
        self._closed = True
        self._put({"type": "websocket.disconnect", "code": code}, 0)

    def _put(self, message: Message, size: int) -> None:
        self._incoming.append((size, message))
        self._size += size
        if self._size > HIGH:
            self._exchange.connection.pause(HANDLER)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def outlet(self, size: int) -> asyncio.Transport | None:
        return None

    def end(self, trailers: Fields) -> None:
        """A handshake has no body that could end."""

    def cancel(self) -> None:
        self._closed = True
        self._gate.lift()
        self._put({"type": "websocket.disconnect", "code": _ABNORMAL}, 0)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def pause(self) -> None:
        self._gate.shut()

    def resume(self) -> None:
        self._gate.lift()
