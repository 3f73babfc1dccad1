"""Traced requests: their span, the steps of their plugins, and what of it the client may see.

A request is traced if spans are kept, if it came with a `traceparent`, which is passed on, or if
it shows a permit (`plugbay-trace`), which goes no further than here. The others have nothing to
do with this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from plugbay.gateway.chain._traced_hooks import Within
from plugbay.observability import (
    TRACE_HEADER,
    ActiveTrace,
    TraceStep,
    propagate,
    server_timing,
    trace_id,
    verify_trace,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._link import Link
    from plugbay.gateway.chain._traced_hooks import Hooks
    from plugbay.gateway.exchange._exchange import Exchange
    from plugbay.gateway.exchange._writing import Writing
    from plugbay.gateway.message._wire import Fields
    from plugbay.kernel import Clock
    from plugbay.observability import Decision, RequestTrace, TraceContext, Traces


class Tracing:
    """Begins traces. Without `traces` no span is kept; without `key` no permit is valid, and one
    whose id is `revoked` is not either."""

    def __init__(
        self,
        clock: Clock,
        *,
        traces: Traces | None = None,
        key: bytes = b"",
        revoked: Callable[[str], bool] = lambda id: False,
    ) -> None:
        self.traces = traces
        self._clock, self._key, self._revoked = clock, key, revoked

    def begin(self, exchange: Exchange) -> ExchangeTrace | None:
        """Take the head's trace fields, let its other fields carry the trace to the upstream."""
        head = exchange.head
        fields, came = head.fields, head.trace or []
        permits = [value for name, value in came if name == TRACE_HEADER]
        fields += [field for field in came if field[0] != TRACE_HEADER]
        span = context = None
        if self.traces is not None:
            path = head.target.partition(b"?")[0].decode("latin-1")
            scheme, method = exchange.connection.scheme.decode(), head.method.decode("latin-1")
            span = self.traces.begin(method, fields, scheme=scheme, path=path)
            context = span.context
        else:
            context = propagate(fields)
        permitted = len(permits) == 1 and self._permits(permits[0])
        if context is None and not permitted:
            return None
        return ExchangeTrace(context, span, self._clock, permitted=permitted)

    def _permits(self, value: bytes) -> bool:
        genuine = bool(self._key) and verify_trace(self._key, value, now=self._clock.time())
        return genuine and not self._revoked(trace_id(value))


class ExchangeTrace(ActiveTrace):
    """The trace of one exchange."""

    __slots__ = ("_app", "_clock", "_permitted", "_span", "_unix")

    def __init__(
        self,
        context: TraceContext | None,
        span: RequestTrace | None,
        clock: Clock,
        *,
        permitted: bool,
    ) -> None:
        super().__init__(context, steps=permitted or (span is not None and span.recording))
        self._span, self._clock, self._permitted = span, clock, permitted
        self._app: tuple[Link, float] | None = None
        # Steps are measured by the monotonic clock, and told in Unix time.
        self._unix = round((clock.time() - clock.monotonic()) * 1e9)

    def through(self, chain: Chain) -> Hooks:
        """Return the chain's hooks, for this exchange."""
        return Within(self, cast("Hooks", chain) if self.steps is None else chain.traced())

    def in_app(self, link: Link) -> None:
        """The application of a plugin takes the request."""
        self._app = (link, self._clock.monotonic())

    def through_body(
        self, link: Link, part: str, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Return what a body filter yields; when it has ended, its part is noted."""
        return chunks if self.steps is None else self._noting(link, part, chunks)

    async def _noting(
        self, link: Link, part: str, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        began, decision = self._clock.monotonic(), "failed"
        try:
            async for data in chunks:
                yield data
            decision = "passed"
        finally:
            phase = f"{link.member.order.phase} {part}"
            self.note(link, phase, began, self._clock.monotonic(), cast("Decision", decision))

    def note(self, link: Link, phase: str, began: float, ended: float, decision: Decision) -> None:
        """Note a plugin's part; times are of the monotonic clock."""
        if self.steps is not None:
            generation = link.generation
            step = TraceStep(
                plugin=link.id,
                version=generation.manifest.version,
                digest=generation.digest,
                generation=generation.number,
                phase=phase,
                began=self._unix + round(began * 1e9),
                ended=self._unix + round(ended * 1e9),
                decision=decision,
            )
            self.steps.append(step)

    def show(self, exchange: Writing, fields: Fields) -> None:
        """Add `Server-Timing` to a response's head, if the client may see it."""
        if self._permitted and self.steps is not None:
            self._end_app(failed=False)
            total = exchange.plane.monotonic() - exchange.began
            upstream = exchange.upstream_seconds or None
            value = server_timing(self.steps, total=total, upstream=upstream)
            fields.append((b"server-timing", value))

    def end(self, exchange: Writing) -> None:
        """The exchange is over."""
        self._end_app(failed=exchange.outcome != "ok")
        if self._span is not None:
            route = exchange.route
            name = "" if route is None else route.spec.path
            self._span.end(exchange.status, self.steps or (), route=name)

    def _end_app(self, *, failed: bool) -> None:
        app, self._app = self._app, None
        if app is not None:
            link, began = app
            decision: Decision = "failed" if failed else "answered"
            self.note(link, "app", began, self._clock.monotonic(), decision)
