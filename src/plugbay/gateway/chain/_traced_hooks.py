"""The hooks of a chain for traced requests: each one notes its part.

It is compiled from the same templates as the chain's own functions, from links and hooks that
note what they do, so that counting, guarding and policy are the same; and only when the first
traced request comes, so that others do not pay for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from plugbay.gateway.chain._compile import compile_request, compile_response
from plugbay.gateway.chain._link import Link
from plugbay.kernel import Hook
from plugbay.observability import active_trace
from plugbay.sdk import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from plugbay.gateway.chain._tracing import ExchangeTrace
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.observability import ActiveTrace, Decision
    from plugbay.sdk import Request

    Now = Callable[[], float]


class Hooks(Protocol):
    """The hooks of a chain as exchanges call them; a `Chain` has its own."""

    @property
    def on_request(self) -> Callable[[Request, Exchange], Any]: ...
    @property
    def on_request_async(self) -> Callable[[Request, Exchange], Any]: ...
    @property
    def on_response(self) -> Callable[[Request, Response, int], Any]: ...
    @property
    def on_response_async(self) -> Callable[[Request, Response, int], Any]: ...


class TracedHooks:
    """All hooks of a chain, noting their parts in the trace that is active."""

    def __init__(
        self,
        links: Sequence[Link],
        requests: Sequence[Hook | None],
        responses: Sequence[Hook | None],
        now: Now,
    ) -> None:
        before = [NotingLink(link, "request", now) for link in links]
        behind = [NotingLink(link, "response", now) for link in links]
        asking = [link.noting(hook) for link, hook in zip(before, requests, strict=True)]
        answering = [link.noting(hook) for link, hook in zip(behind, responses, strict=True)]
        run = compile_response(behind, answering, now)
        waits = any(hook is not None and hook.coroutine for hook in answering)
        self.on_request = self.on_request_async = compile_request(before, asking, now)
        self.on_response = run
        self.on_response_async = run if waits else _as_coroutine(run)


class NotingLink(Link):
    """A link that notes what its plugin has done, or that it was skipped."""

    __slots__ = ("_now", "_phase")

    def __init__(self, link: Link, part: str, now: Now) -> None:
        for name in Link.__slots__:
            setattr(self, name, getattr(link, name))
        self._phase = f"{link.member.order.phase} {part}"
        self._now = now

    def skipped(self) -> Response | None:
        """The hook may not be called."""
        self._note(self._now(), "skipped")
        return super().skipped()

    def noting(self, hook: Hook | None) -> Hook | None:
        """Return the hook as one that notes its calls."""
        if hook is None:
            return None
        noted = self._waited(hook.call) if hook.coroutine else self._called(hook.call)
        return Hook(noted, hook.coroutine)

    def _called(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            with self._part() as part:
                part.append(call(*arguments))
            return part[0]

        return noted

    def _waited(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(*arguments: Any) -> Any:
            with self._part() as part:
                part.append(await call(*arguments))
            return part[0]

        return noted

    @contextmanager
    def _part(self) -> Generator[list[Any]]:
        """Note how long it took and what came of it; an error goes on to who guards the hook."""
        began = self._now()
        part: list[Any] = []
        try:
            yield part
        finally:
            self._note(began, _decision(part))

    def _note(self, began: float, decision: Decision) -> None:
        trace = active_trace.get()
        if trace is not None:
            cast("ExchangeTrace", trace).note(self, self._phase, began, self._now(), decision)


def _decision(part: list[Any]) -> Decision:
    if not part:
        return "failed"
    if part[0] is None:
        return "passed"
    return "answered" if isinstance(part[0], Response) else "failed"


class Within:
    """Hooks that run while a trace is active."""

    def __init__(self, trace: ActiveTrace, hooks: Hooks) -> None:
        self._trace, self._hooks = trace, hooks

    def on_request(self, request: Request, exchange: Exchange) -> Any:
        """Run the request hooks."""
        with self._active():
            return self._hooks.on_request(request, exchange)

    async def on_request_async(self, request: Request, exchange: Exchange) -> Any:
        """Run the request hooks, of which one waits."""
        with self._active():
            return await self._hooks.on_request_async(request, exchange)

    def on_response(self, request: Request, response: Response, entered: int) -> Any:
        """Run the response hooks."""
        with self._active():
            return self._hooks.on_response(request, response, entered)

    async def on_response_async(self, request: Request, response: Response, entered: int) -> Any:
        """Run the response hooks, of which one may wait."""
        with self._active():
            return await self._hooks.on_response_async(request, response, entered)

    @contextmanager
    def _active(self) -> Generator[None]:
        token = active_trace.set(self._trace)
        try:
            yield
        finally:
            active_trace.reset(token)


def _as_coroutine(run: Callable[..., Any]) -> Callable[..., Any]:
    async def waited(request: Request, response: Response, entered: int) -> Any:
        return run(request, response, entered)

    return waited
