"""The sample upstream, over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import socket
from typing import Any

import pytest
from websockets.sync.client import connect

from plugbay.demo import Demo
from plugbay.demo._server import address

Address = tuple[str, int]


def ask(
    demo: Address, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(*demo, timeout=100)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def get_json(demo: Address, path: str) -> Any:
    """The JSON that a page answers with."""
    response, body = ask(demo, "GET", path)
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    return json.loads(body)


def test_index_names_every_page(demo: Address) -> None:
    pages = get_json(demo, "/")["pages"]
    assert {"/json", "/anything", "/stream", "/sse", "/ws", "/upload", "/health"} <= set(pages)
    assert all(pages.values())


def test_json_and_health(demo: Address) -> None:
    assert len(get_json(demo, "/json")["items"]) == 3
    assert get_json(demo, "/health") == {"status": "pass"}


def test_anything_echoes_the_request(demo: Address) -> None:
    response, body = ask(demo, "PUT", "/anything/a%20b?x=1&y", b"\xffhello", X_Test="v")
    echo = json.loads(body)
    assert response.status == 200
    assert echo["method"] == "PUT"
    assert echo["url"] == "/anything/a%20b?x=1&y"
    assert ["x_test", "v"] in echo["headers"]
    assert echo["body"] == "\\xffhello"


def test_anything_refuses_a_long_body(demo: Address) -> None:
    response, body = ask(demo, "POST", "/anything", b"x" * ((1 << 20) + 1))
    assert response.status == 400
    assert "longer than" in json.loads(body)["error"]


def test_stream_sends_lines_in_chunked_coding(demo: Address) -> None:
    response, body = ask(demo, "GET", "/stream?chunks=3&delay=0")
    assert response.headers["transfer-encoding"] == "chunked"
    assert [json.loads(line)["chunk"] for line in body.splitlines()] == [0, 1, 2]


def test_stream_is_not_buffered(demo: Address) -> None:
    connection = http.client.HTTPConnection(*demo, timeout=100)
    connection.request("GET", "/stream?chunks=2&delay=60")
    assert connection.getresponse().readline() == b'{"chunk": 0}\n'
    connection.close()


def test_sse_sends_events(demo: Address) -> None:
    response, body = ask(demo, "GET", "/sse?events=2&delay=0")
    assert response.headers["content-type"] == "text/event-stream"
    assert body.count(b"\n\n") == 2
    assert body.startswith(b'id: 0\nevent: tick\ndata: {"tick": 0}\n\n')


def test_upload_counts_and_hashes(demo: Address) -> None:
    content = bytes(range(256)) * 4000
    _, body = ask(demo, "POST", "/upload", content)
    expected = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert json.loads(body) == expected


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
def test_bytes_has_the_length_asked_for(demo: Address, size: int) -> None:
    response, body = ask(demo, "GET", f"/bytes/{size}")
    assert response.headers["content-length"] == str(size)
    assert len(body) == size


@pytest.mark.parametrize("path", ["/bytes/7", "/json", "/stream", "/sse"])
def test_head_has_no_body_and_keeps_the_connection(demo: Address, path: str) -> None:
    connection = http.client.HTTPConnection(*demo, timeout=100)
    connection.request("HEAD", path)
    assert connection.getresponse().read() == b""
    connection.request("GET", "/health")
    assert connection.getresponse().read() == b'{"status": "pass"}'
    connection.close()


@pytest.mark.parametrize("status", [200, 204, 304, 418, 503])
def test_status_answers_with_the_code(demo: Address, status: int) -> None:
    response, body = ask(demo, "GET", f"/status/{status}")
    assert response.status == status
    assert (body == b"") == (status in (204, 304))


def test_delay_answers_later(demo: Address) -> None:
    assert get_json(demo, "/delay/0.01") == {"delay": 0.01}


@pytest.mark.parametrize(
    "path",
    ["/bytes/x", "/bytes/-1", "/status/99", "/delay/61", "/stream?chunks=-1", "/sse?delay=nan"],
)
def test_a_wrong_parameter_is_400(demo: Address, path: str) -> None:
    assert ask(demo, "GET", path)[0].status == 400


def test_an_unknown_page_is_404_and_plain_http_on_ws_is_426(demo: Address) -> None:
    assert ask(demo, "GET", "/none")[0].status == 404
    response, _ = ask(demo, "GET", "/ws")
    assert (response.status, response.headers["upgrade"]) == (426, "websocket")


def test_websocket_echoes_text_and_bytes(demo: Address) -> None:
    with connect(f"ws://{demo[0]}:{demo[1]}/ws") as client:
        client.send("text")
        assert client.recv(10) == "text"
        client.send(b"\x00\xff" * 10_000)
        assert client.recv(10) == b"\x00\xff" * 10_000


def test_websocket_elsewhere_is_refused(demo: Address) -> None:
    with pytest.raises(Exception, match="403"):
        connect(f"ws://{demo[0]}:{demo[1]}/json")


def test_a_stream_ends_when_the_client_goes_away() -> None:
    """The page notices the disconnect at once, and not after its delay."""
    left = asyncio.Event()
    incoming = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in incoming:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            left.set()

    async def main() -> None:
        query = b"chunks=1000&delay=60"
        scope = {"type": "http", "method": "GET", "path": "/stream", "query_string": query}
        await asyncio.wait_for(Demo()(scope, receive, send), 100)

    asyncio.run(main())
    assert left.is_set()


def test_an_address_is_written_as_in_a_uri() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        assert address(listener) == f"[::1]:{listener.getsockname()[1]}"
