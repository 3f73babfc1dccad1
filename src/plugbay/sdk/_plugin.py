"""The base class of a plugin and the capabilities it may add by inheriting them.

A capability's hooks may be plain functions or coroutines; a plain one is called without an
await and costs less. Their signatures are checked when the plugin is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from plugbay.sdk._host import Event, Host
    from plugbay.sdk._request import Request
    from plugbay.sdk._response import Response

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

C = TypeVar("C")


class Plugin(Generic[C]):
    """One generation of a plugin; built anew for every load and reload.

    `C` is a dataclass of the plugin's configuration: its fields, types and defaults are the
    schema that the gateway validates against. `config` is an instance of it.
    """

    if not TYPE_CHECKING:
        # typing caches `Plugin[X]`, which would keep X and its module alive after a swap.
        __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, config: C, host: Host) -> None:
        self.config = config
        self.host = host

    async def start(self) -> None:
        """Acquire resources. Raising here fails the load and leaves traffic as it was."""

    async def stop(self) -> None:
        """Release everything. Called exactly once, also after a failed start."""

    async def health(self) -> None:
        """Return when healthy, raise when not. Asked before traffic comes and regularly after."""


class RequestFilter:
    """Sees a request before it is sent on; may change it, or answer it."""

    def on_request(self, request: Request) -> Response | Awaitable[Response | None] | None:
        """Return None to let the request pass (changed in place), or a response to answer it."""
        raise NotImplementedError


class ResponseFilter:
    """Sees a response before it is sent back; may change its status and header fields."""

    def on_response(
        self, request: Request, response: Response
    ) -> Response | Awaitable[Response | None] | None:
        """Return None to let the response pass (changed in place), or another one instead."""
        raise NotImplementedError


class BodyFilter:
    """Transforms bodies as they stream, chunk by chunk and with back-pressure.

    Override one or both. A body that is filtered is sent with chunked coding (RFC 9112, 7.1),
    because its new length is not known.
    """

    def request_body(self, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Return the chunks to send to the upstream instead of `chunks`."""
        return chunks

    def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Return the chunks to send to the client instead of `chunks`."""
        return chunks


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a request took, in seconds, and how much was sent, in bytes.

    `total` is from the first byte of the request's head to the last byte of the response's
    body; `upstream` from sending the head to receiving the response's; `plugins` in the chain.
    """

    total: float
    upstream: float
    plugins: float
    request_bytes: int
    response_bytes: int
    outcome: str


class Observer:
    """Learns of every finished request, off its path; the request does not wait for it."""

    def on_complete(
        self, request: Request, response: Response | None, timing: Timing
    ) -> Awaitable[None] | None:
        """Look at what happened. `response` is None if the client got none."""
        raise NotImplementedError


class AsgiApp:
    """Serves requests itself, as an ASGI 3 application mounted below a route's path prefix."""

    app: Asgi
    """Set it in `start` or as a method `async def app(self, scope, receive, send)`."""


class EventHandler:
    """Listens to topics of the event bus."""

    topics: ClassVar[tuple[str, ...]] = ()
    """Topics to listen to: exact names, or a prefix with `*` at the end (`ratelimit.*`)."""

    def on_event(self, event: Event) -> Awaitable[None] | None:
        """Handle one event. Events of one publisher arrive in order."""
        raise NotImplementedError


class Stateful:
    """Hands its state to the next generation when it is swapped."""

    def snapshot(self) -> bytes:
        """Return the state. It is taken while this generation still serves."""
        raise NotImplementedError

    def restore(self, state: bytes) -> None:
        """Take over the state of the generation before, maybe of another version.

        Raising here fails the swap and leaves traffic with the old generation.
        """
        raise NotImplementedError
