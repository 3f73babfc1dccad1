"""Runs one plugin from its start to its stop, and requests through it."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from plugbay.sdk._plugin import (
    AsgiApp,
    BodyFilter,
    EventHandler,
    Observer,
    Plugin,
    RequestFilter,
    ResponseFilter,
    Stateful,
    Timing,
)
from plugbay.sdk._request import BodyTooLarge, Request
from plugbay.sdk._response import Response
from plugbay.sdk.testing._answer import Answer
from plugbay.sdk.testing._asgi import ask
from plugbay.sdk.testing._events import FakeEvents
from plugbay.sdk.testing._host import FakeHost

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
    )

    Upstream = Callable[[Request, bytes], Response]

_P = TypeVar("_P", bound="Plugin[Any]")
_T = TypeVar("_T")


@asynccontextmanager
async def run_plugin(
    cls: type[_P],
    config: object = None,
    *,
    host: FakeHost | None = None,
    state: bytes | None = None,
) -> AsyncGenerator[Running[_P]]:
    """Build, start, restore and health-check a plugin; at the end stop it and its tasks.

    `config` is what the plugin's constructor gets; a mapping is given to its configuration's
    class, and None means that class's defaults. `state` is handed to `restore`. What the plugin
    raises comes through; `stop` is called once even then.
    """
    host = FakeHost() if host is None else host
    plugin = cls(_configure(cls, config), host)
    try:
        try:
            await plugin.start()
            if state is not None:
                _capable(plugin, Stateful).restore(state)
            await plugin.health()
            yield Running(plugin, host)
        finally:
            await plugin.stop()
    finally:
        await host.close()


class Running(Generic[_P]):
    """A plugin that runs. Requests go through the hooks that it has, in the gateway's order."""

    def __init__(self, plugin: _P, host: FakeHost) -> None:
        self.plugin, self.host = plugin, host

    async def request(
        self,
        method: str | Request,
        target: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        upstream: Response | Upstream | None = None,
        client: str = "192.0.2.1",
    ) -> Answer:
        """Send a request and return what the client gets; what a hook raises comes through.

        `method` may be a whole `Request` instead. `body` may be given as the chunks it streams
        in. The request goes on to `upstream`, a response or a function of the request and the
        body that makes one; by default to the plugin's own ASGI application, or to one that
        answers 200 and `ok`. The plugin's answer does not pass its own response hooks.
        """
        chunks = [body] if isinstance(body, bytes) else list(body)
        if isinstance(method, Request):
            request = method
            chunks = chunks if any(chunks) else [await request.read(2**63)]
        else:
            request = Request(
                method,
                target,
                headers=headers,
                authority="testserver",
                client=client,
                id="test",
                reader=_reader(b"".join(chunks)),
            )
        return await self._exchange(request, chunks, upstream)

    async def event(self, topic: str, /, **data: object) -> None:
        """Deliver an event. Raises `TypeError` if the plugin does not handle events."""
        events = FakeEvents("test", self.host.clock)
        events.publish(topic, **data)
        await _awaited(_capable(self.plugin, EventHandler).on_event(events.published[0]))

    async def health(self) -> None:
        """Ask for the plugin's health; raises what it raises."""
        await self.plugin.health()

    def snapshot(self) -> bytes:
        """Return the plugin's state. Raises `TypeError` if it is not `Stateful`."""
        return _capable(self.plugin, Stateful).snapshot()

    async def _exchange(
        self, request: Request, chunks: list[bytes], upstream: Response | Upstream | None
    ) -> Answer:
        plugin, began = self.plugin, self.host.now()
        response: Response | None = None
        sent: bytes | None = None
        if isinstance(plugin, RequestFilter):
            response = await _awaited(plugin.on_request(request))
        if response is None:
            sent = await self._upload(request, chunks)
            asked = self.host.now()
            response = await self._ask(upstream, request, sent)
            answered = self.host.now()
            response, content = await self._return(request, response)
        else:
            asked = answered = self.host.now()
            content = await _content(response)
        total, waited = self.host.now() - began, answered - asked
        uploaded = sum(map(len, chunks))
        outcome = "answered" if sent is None else "passed"
        timing = Timing(total, waited, total - waited, uploaded, len(content), outcome)
        if isinstance(plugin, Observer):
            await _awaited(plugin.on_complete(request, response, timing))
        return Answer(
            response.status, response.headers, content, request=request, sent=sent, timing=timing
        )

    async def _upload(self, request: Request, chunks: list[bytes]) -> bytes:
        stream = _stream(chunks)
        if isinstance(self.plugin, BodyFilter):
            stream = self.plugin.request_body(request, stream)
        return b"".join([chunk async for chunk in stream])

    async def _ask(
        self, upstream: Response | Upstream | None, request: Request, sent: bytes
    ) -> Response:
        if isinstance(upstream, Response):
            return upstream
        if upstream is not None:
            return upstream(request, sent)
        if isinstance(self.plugin, AsgiApp):
            return await ask(self.plugin.app, request, sent)
        return Response.text("ok")

    async def _return(self, request: Request, upstream: Response) -> tuple[Response, bytes]:
        """Pass the response hooks; the upstream's body streams past them unless one replaces it."""
        content = await _content(upstream)
        response = Response(upstream.status, upstream.headers, None)
        if isinstance(self.plugin, ResponseFilter):
            response = await _awaited(self.plugin.on_response(request, response)) or response
        if response.body is not None:
            content = await _content(response)
        stream = _stream([content])
        if isinstance(self.plugin, BodyFilter):
            stream = self.plugin.response_body(request, response, stream)
        return response, b"".join([chunk async for chunk in stream])


def _configure(cls: type[Plugin[Any]], config: object) -> object:
    """Return the plugin's configuration. Raises `TypeError` if its class cannot be found."""
    if config is not None and not isinstance(config, dict):
        return config
    declared = _config_class(cls)
    if declared is None and config is not None:
        raise TypeError(f"{cls.__name__} names no class of its configuration: Plugin[Config]")
    return None if declared is None else declared(**cast("dict[str, Any]", config or {}))


def _config_class(cls: type[Plugin[Any]]) -> Callable[..., object] | None:
    for base in cls.__mro__:
        for declared in base.__dict__.get("__orig_bases__", ()):
            if getattr(declared, "__origin__", None) is not Plugin:
                continue
            found = declared.__args__[0]
            if isinstance(found, type) and found is not type(None):
                return cast("Callable[..., object]", found)
    return None


def _capable(plugin: object, capability: type[_T]) -> _T:
    if not isinstance(plugin, capability):
        raise TypeError(f"{type(plugin).__name__} does not inherit {capability.__name__}")
    return plugin


async def _awaited(result: _T | Awaitable[_T]) -> _T:
    if inspect.isawaitable(result):
        return await cast("Awaitable[_T]", result)
    return result


def _reader(body: bytes) -> Callable[[int], Awaitable[bytes]]:
    async def read(limit: int) -> bytes:
        if len(body) > limit:
            raise BodyTooLarge(limit)
        return body

    return read


async def _stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if chunk:
            yield chunk


async def _content(response: Response) -> bytes:
    body = response.body
    if body is None or isinstance(body, bytes):
        return body or b""
    return b"".join([chunk async for chunk in body])
