"""What an endpoint refuses before any server hears of it."""

from __future__ import annotations

import json

import pytest

from unit.mcp.conftest import request
from unit.mcp.serving.endpoint import Http, begin, call, serve

MODERN = {"mcp_protocol_version": "2026-07-28"}
JSON = {"accept": "application/json"}
PING = request(1, "ping")
ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize(
    ("method", "body", "fields", "status", "said"),
    [
        ("PUT", b"", {}, 405, {"allow": "GET, POST, DELETE"}),
        ("GET", b"", MODERN, 405, {"allow": "POST"}),
        ("DELETE", b"", MODERN, 405, {"allow": "POST"}),
        ("POST", PING, {**MODERN, **JSON}, 406, {}),
        ("POST", ANSWER, MODERN, 400, {"code": -32600}),
        ("POST", b"[1, 2]", MODERN, 400, {"code": -32600}),
        ("POST", PING, JSON, 406, {}),
        ("POST", PING, {}, 400, {"message": "Bad Request: there is no Mcp-Session-Id"}),
        ("POST", PING, {"mcp_session_id": "no"}, 404, {"message": "Session not found"}),
        ("POST", PING, {"origin": "https://evil.example"}, 403, {}),
    ],
)
def test_without_a_session(method, body, fields, status, said):
    async def work(endpoint):
        http = await Http(endpoint, method, body, **fields).head()
        assert http.status == status
        part = await http.part()
        error = json.loads(part)["error"] if part else {}
        assert {**http.headers, **error}.items() >= said.items()
        assert not endpoint.sessions
        assert not endpoint.shared.running

    serve(work)


def test_with_a_session():
    async def work(endpoint):
        id = await begin(endpoint)
        odd = {"mcp_session_id": id, "mcp_protocol_version": "2020-01-01"}
        http = await Http(endpoint, "POST", PING, **odd).head()
        assert http.status == 400
        assert "unsupported protocol version" in (await http.message())["error"]["message"]
        assert (await Http(endpoint, "GET", mcp_session_id=id, **JSON).head()).status == 406
        other = request(2, "initialize", protocolVersion="2025-11-25")
        http = await Http(endpoint, "POST", other).head()
        assert (http.status, http.headers["retry-after"]) == (503, "1")
        error = (await http.message())["error"]
        assert (error["code"], error["data"]["plugbay"]["retry_after_ms"]) == (50301, 1000)
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await Http(endpoint, "POST", told, **MODERN).head()).status == 202
        http = await Http(endpoint, "POST", call(3, "echo"), mcp_session_id=id).head()
        assert (await http.message())["id"] == 3  # nothing of all this has harmed it

    serve(work, max_sessions=1)
