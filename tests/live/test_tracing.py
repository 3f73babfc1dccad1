"""What a gateway tells of its requests: spans at a collector, Server-Timing, access lines."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from plugbay.observability import sign_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SOURCE = """
from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

class Main(Plugin[None], RequestFilter, ResponseFilter):
    def on_request(self, request: Request) -> Response | None:
        if request.path == "/refused":
            return Response.text("no", 403)
        if request.headers.get("x-say"):
            self.host.log.warning("said %s", request.headers["x-say"])
        return None

    def on_response(self, request: Request, response: Response) -> None:
        response.headers.set("x-judge", "%s")
"""

MANIFEST = 'provides = ["request-filter", "response-filter"]\n'


class Server:
    """An HTTP server in a thread; `take` gets the headers and the body of each request."""

    def __init__(self, take: Callable[[Mapping[str, str], bytes], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                take(self.headers, self.rfile.read(int(self.headers.get("content-length", 0))))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Collector(Server):
    """An OTLP/HTTP collector that keeps the spans it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        super().__init__(self._export)

    def _export(self, _: Mapping[str, str], body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            facts = _facts(resource.resource)
            self.services.add(str(facts["service.name"]))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str, trace: str = "") -> list[Span]:
        """Return the spans of this name."""
        return [s for s in self.spans if s.name == name and trace in ("", s.trace_id.hex())]


def _facts(owner: Any) -> dict[str, object]:
    return {
        pair.key: getattr(pair.value, str(pair.value.WhichOneof("value")))
        for pair in owner.attributes
    }


class Bay:
    """A gateway with tracing and access log, its upstream and its collector."""

    def __init__(self, folder: Path) -> None:
        self.collector, self.seen = Collector(), list[Any]()
        self.upstream = Server(lambda headers, _: self.seen.append(headers))
        settings = (
            "[log]\naccess = true\n"
            f'[tracing]\nendpoint = "http://{self.collector.address}/v1/traces"\nservice = "bay"\n'
        )
        self.gateway = Gateway(workers=2, settings=settings, upstream=self.upstream)  # type: ignore[arg-type]  # has an address
        self.folder = folder

    def push(self, version: str) -> None:
        """Upload a version of the plugin."""
        source = SOURCE.replace('%s")\n', f'{version}")\n')
        made = write_plugin(self.folder / version, "judge", version, source, MANIFEST)
        assert self.gateway.push(made)["state"] == "validated"

    def get(self, path: str = "/x", **fields: str) -> tuple[int, dict[str, str], str]:
        """Ask the gateway; return status, header fields and the request id."""
        with contextlib.closing(HTTPConnection(self.gateway.address, timeout=100)) as connection:
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, found["x-request-id"]

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """What the gateway has logged of a request."""
        return [line for line in self.logged() if line.get("request_id") == request_id]

    def logged(self) -> list[dict[str, Any]]:
        """All that is logged; the line that is just being written is none yet."""
        text = self.gateway.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def metric(self, name: str) -> float:
        """Return a series' value, 0 if it is not there."""
        host = str(self.gateway.facts["metrics"])
        with contextlib.closing(HTTPConnection(host, timeout=100)) as connection:
            connection.request("GET", "/metrics")
            page = connection.getresponse().read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def bay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bay]:
    made = Bay(tmp_path_factory.mktemp("bay"))
    try:
        with made.gateway:
            made.push("1.0.0")
            made.gateway.put("judge", version="1.0.0")
            yield made
    finally:
        made.upstream.close()
        made.collector.close()


def test_spans_go_to_the_collector_and_the_trace_goes_on(bay: Bay) -> None:
    status, _, id = bay.get(traceparent=f"00-{TRACE}-{CALLER}-01", **{"x-say": "hello"})
    assert status == 200
    (sent,) = [headers for headers in bay.seen if headers.get("x-request-id") == id]
    wait_for("spans", lambda: bay.collector.named("GET", TRACE))
    (span,) = bay.collector.named("GET", TRACE)
    assert span.parent_span_id.hex() == CALLER
    assert _facts(span)["http.response.status_code"] == 200
    assert sent["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    for part in ("request", "response"):
        name = f"plugin judge post-routing {part}"
        wait_for(name, lambda name=name: bay.collector.named(name, TRACE))
        (child,) = bay.collector.named(name, TRACE)
        assert child.parent_span_id == span.span_id
        assert span.start_time_unix_nano - 10**6 <= child.start_time_unix_nano
        assert child.end_time_unix_nano <= span.end_time_unix_nano + 10**6
        facts = _facts(child)
        assert facts["plugbay.plugin.decision"] == "passed"
        assert facts["plugbay.plugin.version"] == "1.0.0"
    assert bay.collector.services == {"bay"}
    wait_for("the access line", lambda: len(bay.lines(id)) == 1)

    def said() -> list[str]:
        lines = bay.logged()
        return [line["trace_id"] for line in lines if line.get("message") == "said hello"]

    wait_for("the plugin's line", said)
    assert said() == [TRACE]


def test_an_answer_of_a_plugin_is_a_decision(bay: Bay) -> None:
    trace = "a" * 32
    assert bay.get("/refused", traceparent=f"00-{trace}-{CALLER}-01")[0] == 403
    name = "plugin judge post-routing request"
    wait_for("the span", lambda: bay.collector.named(name, trace))
    assert _facts(bay.collector.named(name, trace)[0])["plugbay.plugin.decision"] == "answered"


def test_a_request_is_one_access_line(bay: Bay) -> None:
    _, _, id = bay.get("/a/b?token=secret")
    wait_for("the line", lambda: bay.lines(id))
    (line,) = bay.lines(id)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/a/b", 200)
    assert (line["route"], line["outcome"], line["client"]) == ("all", "ok", "127.0.0.1")
    assert line["ms"] > 0
    assert line["bytes_out"] == 2
    assert len(line["trace_id"]) == 32
    assert "secret" not in bay.gateway.log.read_text()


def test_server_timing_is_shown_with_a_key_of_the_admin_api_only(bay: Bay) -> None:
    key = bay.gateway.client.call("POST", "/trace-keys", {"lifetime": 60}).json
    file = bay.gateway.data / "run" / "trace.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key["header"] == "plugbay-trace"
    _, fields, id = bay.get(**{key["header"]: key["value"]})
    timing = fields["server-timing"]
    assert re.match(r'judge;dur=[\d.]+;desc="post-routing request 1.0.0 #\d+ passed"', timing)
    assert "post-routing response" in timing
    assert re.search(r"plugbay-upstream;dur=[\d.]+, plugbay-total;dur=[\d.]+$", timing)
    expired = sign_trace(file.read_bytes(), now=time.time() - 100, lifetime=60)
    forged = key["value"][:-1] + ("0" if key["value"][-1] != "0" else "1")
    for value in (expired, forged, "x"):
        assert "server-timing" not in bay.get(**{key["header"]: value})[1]
    assert "server-timing" not in bay.get()[1]
    assert id in [headers.get("x-request-id") for headers in bay.seen]
    assert not any("plugbay-trace" in headers for headers in bay.seen)


def test_a_swap_moves_the_metrics(bay: Bay) -> None:
    bay.push("1.1.0")
    series = 'plugbay_swap_total{result="ok"}'
    prepared = 'plugbay_swap_duration_seconds_count{step="prepare"}'
    wait_for("the first change is counted", lambda: bay.metric(series) == 1)
    operation = bay.gateway.put("judge", version="1.1.0")
    assert bay.gateway.operation(operation["id"])["state"] == "succeeded"
    assert bay.get()[1]["x-judge"] == "1.1.0"
    wait_for("so is the second", lambda: bay.metric(series) == 2)
    assert bay.metric(prepared) == 2
    assert bay.metric("plugbay_swap_dropped_requests_total") == 0
