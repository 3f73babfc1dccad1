"""Routes as a collection, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plugbay.control.interchange import Options, export_postman, import_postman
from plugbay.gateway import HealthCheck, RouteSpec, Target, Tls, UpstreamSpec
from plugbay.kernel import Invalid

from .documents import request, shop

ROUTES = (
    RouteSpec(name="app", plugin="counter", path="/app", strip_prefix=True, priority=3),
    RouteSpec(name="mcp", mcp="tools", path="/mcp", exact=True, total_timeout=2.5),
    RouteSpec(
        name="shop",
        upstream="shop",
        hosts=("*.shop.example", "shop.example"),
        path="/",
        methods=("GET", "POST"),
        max_body=1024,
        websocket=False,
    ),
)
UPSTREAMS = (
    UpstreamSpec(
        name="shop",
        targets=(Target(address="10.0.0.1:80", weight=3), Target(address="10.0.0.2:80")),
        balance="weighted",
        health=HealthCheck(path="/up"),
        tls=Tls(server_name="shop.internal"),
    ),
    UpstreamSpec(name="tools", targets=(Target(address="127.0.0.1:9"),)),
)


def exported() -> dict[str, Any]:
    made = export_postman(ROUTES, UPSTREAMS, base_url="https://gw.example/", name="Mine")
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def test_a_collection_that_postman_reads() -> None:
    made = exported()
    assert made["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert [folder["name"] for folder in made["item"]] == ["app", "mcp", "shop"]
    first, second = made["item"][2]["item"]
    assert (first["name"], second["name"]) == ("GET /", "POST /")
    assert first["request"]["header"] == [{"key": "Host", "value": "shop.example"}]
    assert made["item"][0]["item"][0]["request"]["url"] == {
        "raw": "{{baseUrl}}/app",
        "host": ["{{baseUrl}}"],
        "path": ["app"],
    }
    assert made["variable"][0] == {
        "key": "baseUrl",
        "value": "https://gw.example",
        "type": "string",
    }


def test_importing_it_again_gives_the_same() -> None:
    found = import_postman(exported(), Options())
    assert (found.routes, found.upstreams) == (ROUTES, UPSTREAMS)
    assert [remark.where for remark in found.remarks] == ["requests"]


def test_what_was_imported_comes_back_too() -> None:
    first = import_postman(shop(), Options())
    made = export_postman(first.routes, first.upstreams, base_url="http://localhost:8080")
    again = import_postman(made, Options())
    assert (again.routes, again.upstreams) == (first.routes, first.upstreams)


def test_what_was_changed_in_postman_counts() -> None:
    made = exported()
    del made["item"][1]
    made["item"][0]["item"].append(request("more", "http://other.example/elsewhere", "PUT"))
    made["item"].append(request("new", "http://other.example/new"))
    found = import_postman(made, Options())
    assert [route.name for route in found.routes] == ["app", "mine-elsewhere", "mine-new", "shop"]
    assert found.remarks[-1].where == "mcp"
    assert "removed" in found.remarks[-1].detail


@pytest.mark.parametrize("value", ["{", '{"name": 3}', '{"name": "x", "pony": 1}'])
def test_damaged_variables_are_refused(value: str) -> None:
    made = exported()
    made["variable"][1]["value"] = value
    with pytest.raises(Invalid, match=r"plugbay\.route\.app"):
        import_postman(made, Options())
