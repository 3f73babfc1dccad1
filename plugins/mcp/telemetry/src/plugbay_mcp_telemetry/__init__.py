"""OpenTelemetry spans for MCP requests, in the trace of whoever makes them.

The names are those of the semantic conventions for MCP; `_meta.traceparent` is that of SEP-414,
part of MCP 2026-07-28.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from plugbay.sdk import McpFilter, Message, Plugin

from ._attributes import attributes_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

    from plugbay.sdk import McpSession

OPEN = 10_000
"""Spans that wait for an answer; of more the oldest ends."""
_FIELDS = ("traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Config:
    """Where spans go, by OTLP over HTTP."""

    endpoint: str = "http://127.0.0.1:4318/v1/traces"
    """The whole URL."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Such as a key of the collector's; values may refer to `${secret:name}`."""
    service: str = "plugbay-mcp"
    """`service.name` of the spans."""
    ratio: float = 1.0
    """The share of new traces that is kept; one that comes in decides for itself."""
    timeout: float = 5.0
    """Seconds that the collector may take."""
    propagate: bool = True
    """Let the server continue the trace, by `_meta.traceparent`."""

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ValueError("ratio is 0 to 1")


@dataclass(slots=True)
class Asked:
    """A request that is with the server. The session is kept so that its key stays its own."""

    session: McpSession
    span: Span


class Telemetry(Plugin[Config], McpFilter):
    """A span from each request of a client, as it goes to the server, to its answer."""

    async def start(self) -> None:
        """Open the way to the collector."""
        config = self.config
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(config.ratio),
            resource=Resource.create({"service.name": config.service}),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(config.endpoint, headers=config.headers, timeout=config.timeout)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("plugbay.mcp")
        self._context = TraceContextTextMapPropagator()
        self._asked: OrderedDict[tuple[int, str], Asked] = OrderedDict()

    async def stop(self) -> None:
        """End what is open, and send it."""
        self._end_all(None, "plugin_stopped")
        await asyncio.to_thread(self._provider.shutdown)

    def on_message(self, message: Message) -> Message | None:
        """Begin a span, or end one."""
        if message.direction == "to-server":
            if message.kind == "request":
                return self._begin(message)
            if message.method == "notifications/cancelled":
                self._end(message.session, message.params.get("requestId"), "cancelled")
        elif message.kind in ("response", "error") and message.request is not None:
            self._answered(message)
        return None

    def on_session_end(self, session: McpSession) -> None:
        """Nobody answers any more."""
        self._end_all(session, "session_ended")

    def on_exit(self, session: McpSession, code: int) -> None:
        """The server has ended, and what it was asked is answered for it."""
        self._end_all(session, "server_exited")

    # --- spans

    def _begin(self, message: Message) -> Message | None:
        parent, links = self._parent(message)
        target = f" {message.target}" if message.target else ""
        span = self._tracer.start_span(
            f"{message.method}{target}",
            context=parent,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes_of(message),
            links=links,
        )
        self._asked[_key(message.session, message.id)] = Asked(message.session, span)
        if len(self._asked) > OPEN:
            _, oldest = self._asked.popitem(last=False)
            _close(oldest.span, "unanswered")
        return self._passed_on(message, span) if self.config.propagate else None

    def _parent(self, message: Message) -> tuple[Context, list[Link]]:
        """`_meta` says whose request it is, the header field which HTTP request carried it."""
        carried = self._context.extract(_carrier(message.headers), context=None)
        said = self._context.extract(_carrier(message.meta), context=None)
        if not trace.get_current_span(said).get_span_context().is_valid:
            return carried, []
        other = trace.get_current_span(carried).get_span_context()
        return said, [trace.Link(other)] if other.is_valid else []

    def _passed_on(self, message: Message, span: Span) -> Message:
        carrier: dict[str, Any] = {}
        self._context.inject(carrier, context=trace.set_span_in_context(span))
        meta = {name: value for name, value in message.meta.items() if name not in _FIELDS}
        return message.replace(params={**message.params, "_meta": {**meta, **carrier}})

    def _answered(self, message: Message) -> None:
        asked = self._asked.pop(_key(message.session, message.id), None)
        if asked is None:
            return
        attributes, error = outcome_of(message)
        asked.span.set_attributes(attributes)
        _close(asked.span, error)

    def _end(self, session: McpSession, number: object, error: str) -> None:
        asked = self._asked.pop(_key(session, number), None)
        if asked is not None:
            _close(asked.span, error)

    def _end_all(self, session: McpSession | None, error: str) -> None:
        for key, asked in tuple(self._asked.items()):
            if session is None or asked.session is session:
                del self._asked[key]
                _close(asked.span, error)


def _close(span: Span, error: str) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(trace.StatusCode.ERROR)
    span.end()


def _key(session: McpSession, number: object) -> tuple[int, str]:
    return id(session), repr(number)


def _carrier(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(found[name]) for name in _FIELDS if name in found}
