"""Mounted ASGI applications (ASGI 3.0, HTTP and WebSocket message format 2.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from plugbay.gateway.chain._link import FAULTS, Link
from plugbay.gateway.exchange._body import BodyBroken, BodyQueue, Gate
from plugbay.gateway.message._framing import HANDLER
from plugbay.gateway.message._problem import problem
from plugbay.observability import active_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from plugbay.gateway._spec import RouteSpec
    from plugbay.gateway.chain._link import PluginMeter
    from plugbay.gateway.chain._member import Member
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.message._wire import Fields

    Message = MutableMapping[str, Any]

_PORTS = {"http": 80, "https": 443}


class AppHandler:
    """Hands requests to the application of one generation of a plugin."""

    __slots__ = ("link", "root_path", "websocket")

    def __init__(self, spec: RouteSpec, member: Member, meter: PluginMeter) -> None:
        self.link = Link(member, meter)
        self.root_path = spec.path.rstrip("/")
        self.websocket = spec.websocket

    def start(self, exchange: Exchange) -> None:
        link = self.link
        hook = link.hook("app")
        if hook is None or not link.allowed:
            link.series.skipped += 1
            exchange.answer(problem(503, f"plugin {link.id} does not run now", retry_after=1))
            return
        if exchange.trace is not None:
            exchange.trace.in_app(link)
        if exchange.head.upgrade and self.websocket:
            # What speaks WebSocket is imported when the first application is asked for one.
            from plugbay.gateway.exchange._websocket import AppSocket

            AppSocket(exchange, link, self.scope(exchange, "websocket")).start(hook)
        else:
            AppCall(exchange, link, self.scope(exchange, "http")).start(hook)

    def scope(self, exchange: Exchange, kind: str) -> dict[str, Any]:
        """Build the connection scope."""
        request = exchange.request
        path, _, query = request.target.partition(b"?")
        scheme = request.scheme
        if kind == "websocket":
            scheme = "wss" if scheme == "https" else "ws"
        scope: dict[str, Any] = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.http_version,
            "scheme": scheme,
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": self.root_path,
            "headers": list(request.headers.raw),
            "client": (request.client, 0),
            "server": _server(request.authority, request.scheme),
            "state": {},
            "extensions": {},
        }
        if kind == "http":
            scope["method"] = request.method
        return scope


def _server(authority: str, scheme: str) -> tuple[str, int | None]:
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority, _PORTS[scheme]
    return host, int(port or _PORTS[scheme])


class AppCall:
    """One HTTP request inside an application; the sink of its body."""

    __slots__ = (
        "_ended",
        "_exchange",
        "_gate",
        "_gone",
        "_headed",
        "_left",
        "_link",
        "_queue",
        "_scope",
        "_started",
        "_task",
        "_told",
    )

    def __init__(self, exchange: Exchange, link: Link, scope: Mapping[str, Any]) -> None:
        connection = exchange.connection
        self._exchange, self._link, self._scope = exchange, link, scope
        self._queue = BodyQueue(
            lambda: connection.pause(HANDLER), lambda: connection.resume(HANDLER)
        )
        self._gate = Gate()
        self._gone = asyncio.Event()
        self._started: tuple[int, Fields] | None = None
        self._ended = self._told = self._headed = False
        self._left = -1
        self._task: asyncio.Task[None] | None = None

    def start(self, hook: Any) -> None:
        """Call the application in a task of its own."""
        exchange = self._exchange
        exchange.take(self)
        if exchange.request_done and not self._queue.done:
            self._queue.end([])
        self._task = exchange.handle(self._run(hook.call))

    async def _run(self, app: Any) -> None:
        link, exchange = self._link, self._exchange
        active_trace.set(exchange.trace)
        try:
            await app(self._scope, self._receive, self._send)
            if not self._ended and not exchange.finished:
                raise RuntimeError("the application returned before its response was complete")
        except FAULTS as error:
            if exchange.finished:
                return  # it was told that the client has gone, and may fail for that
            link.failed(error, exchange.request)
            exchange.fail(500, f"plugin {link.id} failed")
        else:
            link.succeeded()
            link.series.answered += 1

    async def _receive(self) -> Message:
        if not self._told:
            self._exchange.want_body()
            queue = self._queue
            try:
                data = await anext(queue, b"")
            except BodyBroken:
                return {"type": "http.disconnect"}
            more = bool(queue.chunks) or not queue.done
            self._told = not more
            return {"type": "http.request", "body": data, "more_body": more}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._exchange.finished or self._ended:
            return
        if kind == "http.response.start" and self._started is None:
            fields = [(bytes(n).lower(), bytes(v)) for n, v in message.get("headers", ())]
            self._started = int(message["status"]), fields
        elif kind == "http.response.body" and self._started is not None:
            await self._body(bytes(message.get("body", b"")), bool(message.get("more_body")))
        else:
            raise RuntimeError(f"the application sent {kind} at the wrong time")

    async def _body(self, data: bytes, more: bool) -> None:
        exchange = self._exchange
        if self._started is not None and not self._headed:
            self._headed = True
            self._head(*self._started, len(data), more)
        if self._left >= 0:
            self._check(len(data), more)
            self._left -= len(data)
        if data and not exchange.finished:
            exchange.response_data(data)
            exchange.flush()
        if not more:
            self._ended = True
            self._gone.set()
            exchange.response_end([])
        elif not self._gate.open:
            await self._gate.wait()

    def _check(self, size: int, more: bool) -> None:
        if self._left >= 0 and (size > self._left or (size < self._left and not more)):
            raise RuntimeError("the application's body does not fit its content-length")

    def _head(self, status: int, fields: Fields, size: int, more: bool) -> None:
        exchange = self._exchange
        said = [value for name, value in fields if name == b"content-length"]
        length = int(said[0]) if said and said[0].isdigit() else -1
        if length < 0 and not more:
            length = size
            fields.append((b"content-length", b"%d" % size))
        if not any(name == b"date" for name, _ in fields):
            fields.append((b"date", exchange.plane.date()))
        bodiless = exchange.bodiless(status)
        self._left = -1 if bodiless else length
        self._check(size, more)
        exchange.respond(status, fields, 0 if bodiless else length)

    # --- as the sink of the body

    def data(self, data: bytes) -> None:
        self._queue.put(data)

    def outlet(self, size: int) -> asyncio.Transport | None:
        return None

    def end(self, trailers: Fields) -> None:
        self._queue.end(trailers)

    def cancel(self) -> None:
        """The client has gone: the application is told, and its task is cancelled."""
        self._gone.set()
        self._queue.fail()
        self._gate.lift()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def pause(self) -> None:
        self._gate.shut()

    def resume(self) -> None:
        self._gate.lift()
