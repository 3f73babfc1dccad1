"""Documents of other tools become routes that serve, on a real gateway."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


class Orders(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "host": self.headers["host"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def orders():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(plugbay, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection(plugbay.gateway.address, timeout=100)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def item(name: str, method: str, *path: str) -> dict[str, object]:
    url = {"raw": f"{{{{baseUrl}}}}/{'/'.join(path)}", "host": ["{{baseUrl}}"], "path": [*path]}
    return {"name": name, "request": {"method": method, "url": url}}


def test_a_collection_serves_and_comes_back(plugbay, orders):
    plugbay("login", "--password-file", plugbay.gateway.data / "first-password")
    collection = {
        "info": {"name": "Orders", "schema": SCHEMA},
        "item": [
            {"name": "Read", "item": [item("List", "GET", "orders")]},
            item("Cancel", "DELETE", "orders", ":id"),
        ],
        "variable": [{"key": "baseUrl", "value": f"http://{orders}/v1"}],
    }
    source = plugbay.folder / "orders.json"
    source.write_text(json.dumps(collection))

    shown = plugbay("import", "postman", source, "--dry-run")
    assert "orders-v1-orders-under" in shown
    assert "takes everything under /v1/orders" in shown
    assert ask(plugbay, "/v1/orders")[0] == 404  # the sample upstream does not have it

    imported = plugbay("import", "postman", source, "--reason", "from the team's collection")
    assert "succeeded" in imported
    status, body = ask(plugbay, "/v1/orders?page=2")
    assert (status, json.loads(body)) == (200, {"path": "/v1/orders?page=2", "host": orders})
    assert json.loads(ask(plugbay, "/v1/orders/7", "DELETE")[1])["path"] == "/v1/orders/7"
    assert "nothing to do" in plugbay("import", "postman", source)

    exported = plugbay.folder / "exported.json"
    plugbay("export", "postman", exported, "--base-url", f"http://{plugbay.gateway.address}")
    assert "nothing to do" in plugbay("import", "postman", exported)

    collection["variable"] = [{"key": "baseUrl", "value": "http://127.0.0.1:1/v1"}]
    source.write_text(json.dumps(collection))
    assert "--replace" in plugbay("import", "postman", source, code=1)
    assert ask(plugbay, "/v1/orders")[0] == 200


def test_an_openapi_document_serves(plugbay, orders):
    plugbay("login", "--password-file", plugbay.gateway.data / "first-password")
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Stock", "version": "1"},
        "servers": [{"url": "http://{where}/", "variables": {"where": {"default": orders}}}],
        "paths": {"/stock/{sku}": {"get": {"operationId": "getStock", "responses": {}}}},
    }
    source = plugbay.folder / "stock.json"
    source.write_text(json.dumps(document))
    assert "succeeded" in plugbay("import", "openapi", source)
    assert json.loads(ask(plugbay, "/stock/4711")[1])["path"] == "/stock/4711"
    assert "nothing to do" in plugbay("import", "openapi", source)
