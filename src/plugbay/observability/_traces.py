"""OpenTelemetry traces: a span for each request and a child span for each plugin's part in it.

The SDK is an optional extra; it is imported when traces are opened and not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.kernel import ExtraMissing
from plugbay.observability._trace_context import TraceContext, extract, inject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

    from plugbay.observability._trace_context import RawHeaders
    from plugbay.observability._trace_steps import TraceStep

_OTEL = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


class RequestTrace:
    """The span of one request. `end` must be called once; `context` is for logs and headers."""

    __slots__ = ("_span", "_tracer", "context")

    def __init__(self, tracer: Tracer, span: Span, state: str) -> None:
        self._tracer, self._span = tracer, span
        found = span.get_span_context()
        self.context = TraceContext(
            f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled, state
        )

    @property
    def recording(self) -> bool:
        """Whether anybody keeps it; if not, there is no need to note the steps."""
        return self._span.is_recording()

    def end(self, status: int, steps: Iterable[TraceStep] = (), *, route: str = "") -> None:
        """End the span with the response's status (0: none), and add a child for each step."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        span = self._span
        if span.is_recording():
            parent = set_span_in_context(span)
            for step in steps:
                self._child(step, parent)
            if route:
                span.set_attribute("http.route", route)
            if status:
                span.set_attribute("http.response.status_code", status)
            if status == 0 or status >= 500:
                span.set_attribute("error.type", str(status) if status else "no_response")
                span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _child(self, step: TraceStep, parent: Any) -> None:
        from opentelemetry.trace import Status, StatusCode

        child = self._tracer.start_span(
            f"plugin {step.plugin} {step.phase}",
            context=parent,
            start_time=step.began,
            attributes={
                "plugbay.plugin.name": step.plugin,
                "plugbay.plugin.version": step.version,
                "plugbay.plugin.digest": step.digest,
                "plugbay.plugin.generation": step.generation,
                "plugbay.plugin.decision": step.decision,
            },
        )
        if step.decision == "failed":
            child.set_status(Status(StatusCode.ERROR))
        child.end(end_time=step.ended)


class Traces(Protocol):
    """What the gateway asks of tracing."""

    def begin(self, method: str, headers: RawHeaders, *, scheme: str, path: str) -> RequestTrace:
        """Begin the span of a request and let `headers` carry it to the upstream."""
        ...


class OtelTraces:
    """Traces by the OpenTelemetry SDK."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("plugbay")

    def begin(self, method: str, headers: RawHeaders, *, scheme: str, path: str) -> RequestTrace:
        """Begin a span below the one that the request came with, if any."""
        from opentelemetry import trace

        came = extract(headers)
        parent = trace.set_span_in_context(_remote(came)) if came else None
        span = self._tracer.start_span(
            method,
            context=parent,
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "url.scheme": scheme, "url.path": path},
        )
        begun = RequestTrace(self._tracer, span, came.state if came else "")
        inject(headers, begun.context)
        return begun

    def close(self) -> None:
        """Send what is left; waits for the collector for at most a few seconds."""
        self._provider.shutdown()


def _remote(came: TraceContext) -> Span:
    from opentelemetry import trace

    context = trace.SpanContext(
        int(came.trace_id, 16),
        int(came.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(came.sampled)),
        trace_state=trace.TraceState.from_header([came.state] if came.state else []),
    )
    return trace.NonRecordingSpan(context)


def open_traces(
    *, endpoint: str = "", service: str = "plugbay", ratio: float = 1.0, exporter: Any = None
) -> OtelTraces:
    """Return traces that go by OTLP over HTTP to `endpoint` (default: the environment's).

    `ratio` is the share of new traces that is kept; a trace that comes in decides for itself.
    `exporter` replaces OTLP. Raises `ExtraMissing` if `plugbay[otel]` is not installed.
    """
    require_otel()
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(ratio),
        resource=Resource.create({"service.name": service}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter or _otlp(endpoint)))
    return OtelTraces(provider)


def require_otel() -> None:
    """Raise `ExtraMissing` if `plugbay[otel]` is not installed."""
    try:
        for module in _OTEL:
            import_module(module)
    except ImportError:
        raise ExtraMissing("tracing", "otel") from None


def _otlp(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint or None)
