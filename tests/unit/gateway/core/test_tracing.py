"""Traced requests: spans, steps, Server-Timing and access lines; the others notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugbay.gateway import AccessLines, Tracing
from plugbay.observability import (
    AccessLog,
    JsonFormatter,
    LineWriter,
    OtelTraces,
    active_trace,
    open_traces,
    sign_trace,
)
from plugbay.sdk import Order, Request, Response
from unit.gateway.core.rig import RawUpstream, Rig, generation, member, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from plugbay.gateway import Member

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
KEY = b"0123456789abcdef"


class Kept:
    """A span exporter that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> object:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def traces(kept: Kept) -> Iterator[OtelTraces]:
    opened = open_traces(exporter=kept)
    yield opened
    opened.close()


def trace_by(gate: Rig, traces: OtelTraces | None = None, key: bytes = b"") -> None:
    gate.plane.tracing = Tracing(time, traces=traces, key=key)
    gate.plane.tracer = traces


@contextlib.asynccontextmanager
async def running(*members: Member, **options: Any) -> AsyncIterator[tuple[RawUpstream, Rig]]:
    async with (
        RawUpstream().running() as up,
        rig(up.address, members=members, **options) as gate,
    ):
        yield up, gate


def field(head: bytes, name: bytes) -> list[bytes]:
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    return [value for found, _, value in lines if found == name]


def permit(lifetime: int = 60) -> str:
    return sign_trace(KEY, now=time.time(), lifetime=lifetime)


def passing(id: str, priority: int = 0, phase: str = "post-routing") -> Member:
    plugin = generation(id, on_request=lambda request: None)
    return member(plugin, order=Order(phase=phase, priority=priority))  # type: ignore[arg-type]  # a parameter


def decisions(spans: Sequence[ReadableSpan]) -> list[tuple[str, str]]:
    found = [(span.name, dict(span.attributes or {})) for span in spans]
    return [(name, str(facts.get("plugbay.plugin.decision", ""))) for name, facts in found]


def test_a_request_is_a_span_with_a_child_for_each_plugin(kept: Kept, traces: OtelTraces) -> None:
    async def main() -> bytes:
        async def slow(request: Request, response: Response) -> None:
            await asyncio.sleep(0)

        members = (
            passing("early", phase="pre-routing"),
            member(generation("a", on_request=lambda r: None, on_response=slow)),
        )
        async with running(*members) as (up, gate):
            trace_by(gate, traces)
            client = await gate.connect()
            assert (await client.get("/x?secret=1", traceparent=PARENT))[0] == 200
            return up.heads[0]

    head = asyncio.run(main())
    traces.close()
    *steps, request = kept.spans
    assert decisions(steps) == [
        ("plugin early pre-routing request", "passed"),
        ("plugin a post-routing request", "passed"),
        ("plugin a post-routing response", "passed"),
    ]
    found = request.get_span_context()
    assert request.parent is not None
    assert found is not None
    assert f"{found.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == SPAN
    assert field(head, b"traceparent") == [f"00-{TRACE}-{found.span_id:016x}-01".encode()]
    facts = dict(request.attributes or {})
    assert facts["http.route"] == "/"
    assert facts["http.response.status_code"] == 200
    assert facts["url.path"] == "/x"
    for step in steps:
        assert step.parent is not None
        assert step.parent.span_id == found.span_id
        assert (request.start_time or 0) - 10**6 <= (step.start_time or 0) <= (step.end_time or 0)


def test_a_body_on_its_way_through_a_filter_is_a_step(kept: Kept, traces: OtelTraces) -> None:
    async def main() -> None:
        async def upper(
            request: Request, response: Response, chunks: AsyncIterator[bytes]
        ) -> AsyncIterator[bytes]:
            async for data in chunks:
                yield data.upper()

        async def whole(request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for data in chunks:
                yield data

        plugin = generation("p", request_body=whole, response_body=upper)
        async with running(member(plugin)) as (_, gate):
            trace_by(gate, traces)
            client = await gate.connect()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello")
            assert (await client.response())[2] == b"OK"

    asyncio.run(main())
    traces.close()
    assert sorted(decisions(kept.spans)) == [
        ("POST", ""),
        ("plugin p post-routing request body", "passed"),
        ("plugin p post-routing response body", "passed"),
    ]


def test_answers_failures_and_skips_are_told_apart(kept: Kept, traces: OtelTraces) -> None:
    async def main() -> None:
        def fails(request: Request) -> None:
            raise ValueError("no")

        async def late(request: Request) -> None:
            await asyncio.sleep(5)

        skipped = generation("skipped", on_request=lambda request: None)
        members = [
            member(generation("fails", on_request=fails), closed=False),
            member(generation("late", on_request=late), closed=False, limits_ms=1),
            member(skipped, closed=False),
            member(generation("wrong", on_request=lambda request: 3), closed=False),
            member(generation("z", on_request=lambda request: Response.text("mine", 403))),
        ]
        async with running(*members) as (_, gate):
            trace_by(gate, traces)
            skipped.instance = None
            client = await gate.connect()
            status, _, body = await client.get()
            assert (status, body) == (403, b"mine")

    asyncio.run(main())
    traces.close()
    assert decisions(kept.spans[:-1]) == [
        ("plugin fails post-routing request", "failed"),
        ("plugin late post-routing request", "failed"),
        ("plugin skipped post-routing request", "skipped"),
        ("plugin wrong post-routing request", "failed"),
        ("plugin z post-routing request", "answered"),
    ]


def test_plugins_are_counted_alike_when_they_are_traced(traces: OtelTraces) -> None:
    async def main() -> tuple[int, int, int]:
        plugin = member(generation("p", on_request=lambda request: None))
        async with running(plugin) as (_, gate):
            client = await gate.connect()
            await client.get()
            trace_by(gate, traces)
            await client.get()
            await client.get()
            series = gate.meter.plugin("p", "1.0", "post-routing")
            series.settle()
            return series.passed, series.duration.count, plugin.generation.vitals.calls

    assert asyncio.run(main()) == (3, 3, 3)


def test_an_application_is_a_step_too(kept: Kept, traces: OtelTraces) -> None:
    async def main() -> None:
        inside: list[object] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            active = active_trace.get()
            inside.append(active and active.context)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hi"})

        async with rig(members=[member(generation("p", app=app))], route={"plugin": "p"}) as gate:
            trace_by(gate, traces, KEY)
            client = await gate.connect()
            permitted = await client.get(**{"plugbay-trace": permit()})
            assert permitted[1][b"server-timing"].startswith(b"p;dur=")
            gate.plane.tracer, gate.plane.tracing = None, Tracing(time)
            assert (await client.get())[2] == b"hi"
        assert inside[0] is not None
        assert inside[1] is None

    asyncio.run(main())
    traces.close()
    assert decisions(kept.spans) == [("plugin p app", "answered"), ("GET", "")]


def test_a_traceparent_passes_without_spans_and_an_unsound_one_goes() -> None:
    async def main() -> None:
        async with running(passing("p")) as (up, gate):
            client = await gate.connect()
            await client.get(traceparent=PARENT, tracestate="a=1")
            await client.get(traceparent="x", tracestate="a=1")
            await client.get(traceparent=PARENT, connection="traceparent")
            await client.get()
            first, *others = up.heads
            assert field(first, b"traceparent") == [PARENT.encode()]
            assert field(first, b"tracestate") == [b"a=1"]
            for head in others:
                assert b"trace" not in head

    asyncio.run(main())


def test_server_timing_is_for_permitted_requests_only() -> None:
    async def main() -> None:
        async with running(passing("p"), passing("q", 1)) as (up, gate):
            trace_by(gate, key=KEY)
            client = await gate.connect()
            _, fields, _ = await client.get(**{"plugbay-trace": permit()})
            entries = [part.split(b";") for part in fields[b"server-timing"].split(b", ")]
            names = [entry[0] for entry in entries]
            assert names == [b"p", b"q", b"plugbay-upstream", b"plugbay-total"]
            assert all(float(entry[1].removeprefix(b"dur=")) >= 0 for entry in entries)
            assert entries[0][2] == b'desc="post-routing request 1.0 #1 passed"'
            expired = sign_trace(KEY, now=time.time() - 100, lifetime=60)
            foreign = sign_trace(b"another key, as long", now=time.time())
            for value in (expired, foreign, "", "1.2", permit()[:-1]):
                assert b"server-timing" not in (await client.get(**{"plugbay-trace": value}))[1]
            twice = f"{permit()}\r\nplugbay-trace: {permit()}"
            assert b"server-timing" not in (await client.get(**{"plugbay-trace": twice}))[1]
            assert b"server-timing" not in (await client.get())[1]
            assert len(up.heads) == 8
            assert not any(b"plugbay-trace" in head for head in up.heads)

    asyncio.run(main())


def test_no_permit_is_valid_without_a_key() -> None:
    async def main() -> None:
        async with running() as (up, gate):
            client = await gate.connect()
            _, fields, _ = await client.get(**{"plugbay-trace": permit()})
            assert b"server-timing" not in fields
            assert b"plugbay-trace" not in up.heads[0]

    asyncio.run(main())


def test_log_records_name_the_trace_they_belong_to(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[dict[str, Any]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(msgspec.json.decode(JsonFormatter().format(record)))

    async def main() -> None:
        log = logging.getLogger("plugbay.plugin.p")
        plugin = generation("p", on_request=lambda request: log.warning("here"))
        async with running(member(plugin)) as (_, gate):
            client = await gate.connect()
            await client.get(traceparent=PARENT)
            await client.get()

    handler = Lines()
    logging.getLogger().addHandler(handler)
    try:
        asyncio.run(main())
    finally:
        logging.getLogger().removeHandler(handler)
    first, second = [line for line in lines if line["message"] == "here"]
    assert (first["trace_id"], first["span_id"]) == (TRACE, SPAN)
    assert "trace_id" not in second


@pytest.mark.parametrize(("query", "path"), [(False, "/a"), (True, "/a?token=s")])
def test_each_exchange_is_one_access_line(tmp_path: Path, query: bool, path: str) -> None:
    file = tmp_path / "access"
    fd = os.open(file, os.O_CREAT | os.O_WRONLY)
    writer = LineWriter(fd)

    async def main() -> None:
        async with running(passing("p"), route={"path": "/a"}) as (_, gate):
            gate.plane.access = AccessLines(AccessLog(writer), time, query=query)
            client = await gate.connect()
            await client.get("/a?token=s", traceparent=PARENT)
            client.send(b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
            await client.response()
            await until(lambda: gate.plane.unmatched.requests)

    asyncio.run(main())
    writer.close()
    os.close(fd)
    first, second = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert first.pop("time").endswith("Z")
    assert first.pop("ms") > 0
    assert first.pop("request_id")
    assert first == {
        "client": "127.0.0.1",
        "method": "GET",
        "host": "a",
        "path": path,
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 2,
        "route": "r",
        "upstream": "u",
        "outcome": "ok",
        "trace_id": TRACE,
    }
    assert (second["status"], second["method"], second["path"]) == (404, "POST", "/b")
    assert "route" not in second
