import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from plugbay_mcp_telemetry import Config, Telemetry

from plugbay.sdk.testing import McpTalk, run_plugin

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Collector:
    """An OTLP/HTTP receiver."""

    def __init__(self):
        self.spans, self.resources, self.headers = [], [], []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(body, self.headers)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def take(self, body, headers):
        self.headers.append(dict(headers))
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(values(group.resource.attributes))
            for scope in group.scope_spans:
                self.spans += scope.spans

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def values(attributes):
    return {one.key: one.value.string_value for one in attributes}


@pytest.fixture
def collector():
    found = Collector()
    yield found
    found.close()


def record(collector, work, **config):
    """Run the plugin, and return the spans by name when it has stopped."""

    async def main():
        config.setdefault("endpoint", collector.endpoint)
        async with run_plugin(Telemetry, Config(**config)) as running:
            work(running.plugin)

    asyncio.run(main())
    return {span.name: span for span in collector.spans}


def test_a_call_is_a_span_with_the_conventions_attributes(collector):
    talk = McpTalk(server="files", modern=True)
    talk.session.protocol_version = "2026-07-28"

    def work(plugin):
        call = talk.call("echo", text="hello")
        assert plugin.on_message(call) is not None
        assert plugin.on_message(talk.response(call, content=[])) is None

    spans = record(collector, work, service="gate", headers={"x-key": "secret"})
    span = spans["tools/call echo"]
    assert values(span.attributes) == {
        "mcp.method.name": "tools/call",
        "mcp.session.id": "test",
        "mcp.protocol.version": "2026-07-28",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "echo",
        "jsonrpc.request.id": "1",
        "network.transport": "pipe",
        "plugbay.mcp.server": "files",
    }
    assert span.kind == span.SPAN_KIND_CLIENT
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert collector.resources[0]["service.name"] == "gate"
    assert collector.headers[0]["x-key"] == "secret"


def test_the_trace_goes_on_from_meta_through_the_span_to_the_server(collector):
    talk = McpTalk()
    sent = []

    def work(plugin):
        call = talk.request(
            "tools/call", name="a", _meta={"traceparent": PARENT, "progressToken": 1}
        )
        sent.append(plugin.on_message(call))
        plugin.on_message(talk.response(call))

    span = record(collector, work)["tools/call a"]
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == SPAN
    assert sent[0].meta == {
        "progressToken": 1,
        "traceparent": f"00-{TRACE}-{span.span_id.hex()}-01",
    }


def test_without_meta_the_header_field_is_the_parent_and_with_it_a_link(collector):
    talk = McpTalk()
    other = PARENT.replace(SPAN, "00f067aa0ba902b7")

    def work(plugin):
        plain = talk.request("prompts/get", name="p")
        plain.headers = {"traceparent": PARENT}
        assert plugin.on_message(plain) is None
        plugin.on_message(talk.response(plain))
        both = talk.request("resources/read", uri="file:///x", _meta={"traceparent": PARENT})
        both.headers = {"traceparent": other}
        plugin.on_message(both)
        plugin.on_message(talk.response(both))

    spans = record(collector, work, propagate=False)
    assert spans["prompts/get p"].parent_span_id.hex() == SPAN
    read = spans["resources/read file:///x"]
    assert [link.span_id.hex() for link in read.links] == ["00f067aa0ba902b7"]
    assert values(read.attributes)["mcp.resource.uri"] == "file:///x"


def test_errors_have_a_type_and_nothing_stays_open(collector):
    talk = McpTalk()

    def work(plugin):
        failed = talk.call("failed")
        plugin.on_message(failed)
        plugin.on_message(talk.response(failed, isError=True, content=[]))
        refused = talk.call("refused")
        plugin.on_message(refused)
        answer = talk.response(refused)
        answer.kind = "error"
        plugin.on_message(answer.replace(error={"code": -32602, "message": "no"}))
        cancelled = talk.call("cancelled")
        plugin.on_message(cancelled)
        gone = talk.notification(
            "notifications/cancelled", direction="to-server", requestId=cancelled.id
        )
        plugin.on_message(gone)
        plugin.on_message(talk.call("lost"))
        plugin.on_exit(talk.session, 1)
        plugin.on_message(talk.call("left"))
        plugin.on_session_end(talk.session)
        plugin.on_message(talk.call("late"))

    spans = record(collector, work)
    kinds = {name.split()[1]: values(span.attributes)["error.type"] for name, span in spans.items()}
    assert kinds == {
        "failed": "tool_error",
        "refused": "-32602",
        "cancelled": "cancelled",
        "lost": "server_exited",
        "left": "session_ended",
        "late": "plugin_stopped",
    }
    assert all(span.status.code == span.status.STATUS_CODE_ERROR for span in spans.values())


def test_an_unsampled_trace_sends_nothing_and_is_passed_on_unsampled(collector):
    talk = McpTalk()
    unsampled = PARENT[:-2] + "00"

    def work(plugin):
        call = talk.request("tools/call", name="a", _meta={"traceparent": unsampled})
        assert plugin.on_message(call).meta["traceparent"].endswith("-00")
        plugin.on_message(talk.response(call))

    assert record(collector, work) == {}


def test_a_collector_that_is_not_there_holds_nobody_up():
    async def main():
        config = Config(endpoint="http://127.0.0.1:1/v1/traces", timeout=0.2)
        async with run_plugin(Telemetry, config) as running:
            talk = McpTalk()
            call = talk.call("a")
            running.plugin.on_message(call)
            running.plugin.on_message(talk.response(call))

    asyncio.run(main())


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match="ratio is 0 to 1"):
        Config(ratio=2)
