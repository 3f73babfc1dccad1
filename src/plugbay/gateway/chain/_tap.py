"""The tap of a chain: its last plugin, which looks into whole messages in the turn of the loop
that brings them.

An instance may offer, beside `on_request` and the body filters, the hooks `tap_request`,
`tap_response` and `tap_end`. They do the same without a coroutine, and say so where they cannot;
then the others go on from there. Whoever has a tap is told the end of each request by `tap_end`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from plugbay.gateway.chain._compile import compile_request
from plugbay.gateway.chain._link import FAULTS
from plugbay.sdk import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from plugbay.gateway.chain._link import Link
    from plugbay.kernel import Hook
    from plugbay.sdk import Request

LATER: Final = NotImplemented
"""What `tap_request` returns if something must be waited for: `on_request` goes on."""
BROKEN = "the exchange failed inside the gateway"
LONGEST = 256 * 1024
"""Bytes of a request that are waited for to be tapped: no more are kept before anybody reads."""
_HOOKS = ("on_request", "on_response", "request_body", "response_body")


class Stream(Protocol):
    """A response body on its way through a tap."""

    waits: bool
    """Whether something must be waited for before more is fed: `rest` does so."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes and return what is to be sent of all that has come."""
        ...

    def end(self) -> bytes:
        """The body is complete: return what is left to be sent."""
        ...

    def rest(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Go on from where it `waits`; `chunks` are what follows."""
        ...


class Tap:
    """The last link of a chain, if it has these hooks."""

    def __init__(
        self, links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
    ) -> None:
        self.link = link = links[-1]
        self._entered, self._now = len(links), now
        self._request: Callable[[Request, bytes], Any] = _need(link, "tap_request").call
        self.response: Callable[[Request, Response], Stream | None]
        self.response = _need(link, "tap_response").call
        """Returns what the response's body is to pass; None if nothing."""
        self.end: Callable[[Request], None] = _need(link, "tap_end").call
        """Is told of each request that is over."""
        before = [*hooks[:-1], None]
        self.before: Callable[..., Response | None] = compile_request(links, before, now)
        """The request hooks of all others, if none of them is a coroutine."""
        own = [*(None for _ in hooks[:-1]), hooks[-1]]
        self.later: Callable[..., Awaitable[Response | None]] = compile_request(links, own, now)
        """Its own `on_request`, which goes on where `request` returned LATER."""
        others = links[:-1]
        self.takes_requests = not any(
            (hook := one.hook(name)) is not None and (hook.coroutine or name == "request_body")
            for one in others
            for name in ("on_request", "request_body")
        )
        self.takes_responses = not any(one.hook("response_body") for one in others)
        self.straight = (
            self.takes_requests
            and self.takes_responses
            and not any(
                (hook := one.hook("on_response")) is not None and hook.coroutine for one in links
            )
        )
        """Whether the fast path may be taken."""

    def request(self, request: Request, body: bytes, exchange: Any) -> Any:
        """Return None to send the body as it is, bytes instead of it, a response, or LATER."""
        link, now = self.link, self._now
        began = now()
        try:
            answer = self._request(request, body)
        except FAULTS as error:
            exchange.entered = self._entered - 1
            return link.failed(error, request)
        exchange.plugin_seconds += now() - began
        if answer is not LATER:
            link.succeeded()
            if isinstance(answer, Response):
                link.series.answered += 1
            else:
                link.series.passed += 1
        return answer

    def fed(self, stream: Stream, data: bytes, request: Request) -> bytes | None:
        """Feed a stream; None if it has failed."""
        try:
            return stream.feed(data)
        except FAULTS as error:
            self.link.failed(error, request)
            return None

    def ended(self, stream: Stream, request: Request) -> bytes | None:
        """End a stream; None if it has failed."""
        try:
            return stream.end()
        except FAULTS as error:
            self.link.failed(error, request)
            return None

    def passed(self, stream: Stream, body: bytes, request: Request) -> bytes | None:
        """Return what a whole body comes to; None if it has failed. It may have to wait."""
        out = self.fed(stream, body, request)
        if out is None or stream.waits:
            return out
        left = self.ended(stream, request)
        return None if left is None else out + left


def find_tap(
    links: Sequence[Link], hooks: Sequence[Hook | None], now: Callable[[], float]
) -> Tap | None:
    """Return the tap of a chain, if it has one."""
    if not links or links[-1].hook("tap_request") is None:
        return None
    return Tap(links, hooks, now)


def _need(link: Link, name: str) -> Hook:
    hook = link.hook(name)
    if hook is None:
        raise TypeError(f"{link.id} has a tap without {name}")
    return hook
