"""Trace context, Server-Timing permits and spans."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.kernel import ExtraMissing
from plugbay.observability import (
    TraceContext,
    Traces,
    TraceStep,
    extract,
    inject,
    open_traces,
    parse_traceparent,
    propagate,
    server_timing,
    sign_trace,
    verify_trace,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
KEY = b"0123456789abcdef"


def test_a_traceparent_is_read_and_written() -> None:
    context = parse_traceparent(PARENT)
    assert context == TraceContext(TRACE, SPAN, sampled=True)
    assert context.header() == PARENT
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-00-future".encode()) is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        PARENT + b"-more",
        PARENT + b"\n",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE}-{SPAN}-1".encode(),
        f"00-{TRACE[:-1]}g-{SPAN}-01".encode(),
    ],
)
def test_an_unsound_traceparent_is_ignored(value: bytes) -> None:
    assert parse_traceparent(value) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_an_error(value: bytes) -> None:
    context = parse_traceparent(value)
    assert context is None or parse_traceparent(context.header()) is not None


def test_a_context_is_taken_out_and_put_in() -> None:
    came = [
        (b"host", b"h"),
        (b"traceparent", PARENT),
        (b"tracestate", b"a=1"),
        (b"tracestate", b"b=2"),
    ]
    context = extract(came)
    assert context == TraceContext(TRACE, SPAN, sampled=True, state="a=1,b=2")
    child = context.child(lambda size: b"\x01" * size)
    inject(came, child)
    assert came == [
        (b"host", b"h"),
        (b"traceparent", f"00-{TRACE}-{'01' * 8}-01".encode()),
        (b"tracestate", b"a=1,b=2"),
    ]


def test_a_long_tracestate_is_not_carried_on() -> None:
    context = extract([(b"traceparent", PARENT), (b"tracestate", b"a=" + b"x" * 600)])
    assert context is not None
    assert context.state == ""


def test_a_sound_header_passes_and_an_unsound_one_goes() -> None:
    plain = [(b"host", b"h")]
    assert propagate(plain) is None
    assert plain == [(b"host", b"h")]
    sound = [(b"traceparent", PARENT), (b"tracestate", b"a=1")]
    context = propagate(sound)
    assert context is not None
    assert context.trace_id == TRACE
    assert sound == [(b"traceparent", PARENT), (b"tracestate", b"a=1")]
    for unsound in (
        [(b"traceparent", PARENT), (b"traceparent", PARENT)],
        [(b"traceparent", b"x"), (b"tracestate", b"a=1")],
        [(b"tracestate", b"a=1")],
    ):
        headers = [*unsound, (b"host", b"h")]
        assert propagate(headers) is None
        assert headers == [(b"host", b"h")]


def step(plugin: str = "hello", decision: str = "passed", began: int = 1_000) -> TraceStep:
    return TraceStep(
        plugin=plugin,
        version="1.0",
        digest="ab",
        generation=3,
        phase="post-routing",
        began=began,
        ended=began + 1_500_000,
        decision=decision,  # type: ignore[arg-type] # a parameter of the test
    )


def test_server_timing_has_an_entry_for_each_plugin() -> None:
    value = server_timing([step(), step('a"b c')], total=0.25, upstream=0.2)
    assert value == (
        b'hello;dur=1.500;desc="post-routing 1.0 #3 passed", '
        b'a_b_c;dur=1.500;desc="post-routing 1.0 #3 passed", '
        b"plugbay-upstream;dur=200.000, plugbay-total;dur=250.000"
    )
    assert server_timing([]) == b""


def test_a_permit_holds_for_its_time() -> None:
    permit = sign_trace(KEY, now=1000.0, lifetime=60).encode()
    assert verify_trace(KEY, permit, now=1000.0)
    assert verify_trace(KEY, permit, now=1059.0)
    assert not verify_trace(KEY, permit, now=1060.0)
    assert not verify_trace(b"another key, as long", permit, now=1000.0)
    assert not verify_trace(KEY, permit, now=-10_000.0)


@pytest.mark.parametrize(
    "value", [b"", b".", b"1060", b"1060.", b"x.y", b"-1.a", b"9" * 13 + b".a"]
)
def test_what_is_not_a_permit_is_refused(value: bytes) -> None:
    assert not verify_trace(KEY, value, now=1000.0)


@given(st.integers(0, 70), st.integers(1, 255))
def test_a_changed_permit_is_refused(position: int, change: int) -> None:
    permit = bytearray(sign_trace(KEY, now=1000.0).encode())
    position %= len(permit)
    permit[position] ^= change
    assert not verify_trace(KEY, bytes(permit), now=1000.0)


def test_permits_are_short_lived_and_keys_are_long() -> None:
    for lifetime in (0, -1, 3601):
        with pytest.raises(ValueError, match="holds for"):
            sign_trace(KEY, now=0, lifetime=lifetime)
    with pytest.raises(ValueError, match="16 bytes"):
        sign_trace(b"short", now=0)


class Kept:
    """A span exporter that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: list[ReadableSpan]) -> object:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def test_a_request_is_a_span_and_each_plugin_a_child() -> None:
    kept = Kept()
    opened = open_traces(exporter=kept)
    traces: Traces = opened
    headers = [(b"traceparent", PARENT), (b"tracestate", b"a=1")]
    request = traces.begin("GET", headers, scheme="https", path="/x")
    assert request.recording
    assert request.context.trace_id == TRACE
    assert extract(headers) == request.context
    assert request.context.state == "a=1"
    began = 1_700_000_000_000_000_000
    request.end(200, [step(began=began), step("bad", "failed", began)], route="api")
    opened.close()
    first, second, parent = kept.spans
    assert (first.name, second.name, parent.name) == (
        "plugin hello post-routing",
        "plugin bad post-routing",
        "GET",
    )
    assert first.parent is not None
    assert f"{first.parent.span_id:016x}" == request.context.span_id
    assert parent.parent is not None
    assert f"{parent.parent.span_id:016x}" == SPAN
    assert first.attributes is not None
    assert dict(first.attributes) == {
        "plugbay.plugin.name": "hello",
        "plugbay.plugin.version": "1.0",
        "plugbay.plugin.digest": "ab",
        "plugbay.plugin.generation": 3,
        "plugbay.plugin.decision": "passed",
    }
    assert (first.start_time, first.end_time) == (began, began + 1_500_000)
    assert first.status.is_ok
    assert not second.status.is_ok
    assert parent.attributes is not None
    assert parent.attributes["http.route"] == "api"
    assert parent.attributes["http.response.status_code"] == 200


def test_a_request_without_a_trace_begins_one_and_a_failure_is_marked() -> None:
    kept = Kept()
    opened = open_traces(exporter=kept)
    for status in (503, 0):
        headers: list[tuple[bytes, bytes]] = []
        opened.begin("GET", headers, scheme="http", path="/").end(status)
        assert extract(headers) is not None
    opened.close()
    assert [span.status.is_ok for span in kept.spans] == [False, False]
    assert kept.spans[0].attributes is not None
    assert kept.spans[1].attributes is not None
    assert kept.spans[0].attributes["error.type"] == "503"
    assert kept.spans[1].attributes["error.type"] == "no_response"
    assert kept.spans[0].parent is None


def test_what_the_caller_does_not_record_is_not_recorded() -> None:
    kept = Kept()
    opened = open_traces(exporter=kept)
    headers = [(b"traceparent", PARENT[:-2] + b"00")]
    request = opened.begin("GET", headers, scheme="http", path="/")
    assert not request.recording
    request.end(200, [step()])
    opened.close()
    assert kept.spans == []
    assert headers[0][1].endswith(b"-00")


@pytest.mark.parametrize(
    "module", ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"]
)
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=r"pip install 'plugbay\[otel\]'"):
        open_traces(endpoint="http://127.0.0.1:1/v1/traces")


def test_otlp_is_the_default_exporter() -> None:
    open_traces(endpoint="http://127.0.0.1:1/v1/traces").close()
