"""Postman collections become routes."""

from __future__ import annotations

from typing import Any

import pytest

from plugbay.control.interchange import Imported, Options, import_postman
from plugbay.gateway import RouteSpec, Target, Tls, UpstreamSpec
from plugbay.gateway.routing._routes import Router
from plugbay.kernel import Invalid

from .documents import collection, request, shop


def read(document: dict[str, Any], **said: Any) -> Imported:
    found = import_postman(document, Options(**said))
    # What comes out can be routed: the router itself refuses what could never match.
    Router(found.routes, {route.name: route for route in found.routes})
    return found


def remarks(found: Imported) -> str:
    return "\n".join(f"{remark.where}: {remark.detail}" for remark in found.remarks)


def test_a_collection_of_a_team() -> None:
    found = read(shop())
    acme = UpstreamSpec(
        name="api-acme-example", targets=(Target(address="api.acme.example:443"),), tls=Tls()
    )
    health = UpstreamSpec(name="10-0-0-5-9000", targets=(Target(address="10.0.0.5:9000"),))
    assert found.upstreams == (health, acme)

    def route(name: str, path: str, *methods: str, exact: bool = True, to: str = acme.name) -> Any:
        return RouteSpec(
            name=f"acme-shop-api-{name}",
            upstream=to,
            path=path,
            exact=exact,
            methods=methods,
            preserve_host=False,
        )

    assert found.routes == (
        route("healthz", "/healthz/", "GET", to=health.name),
        route("v1-orders", "/v1/orders", "GET", "POST"),
        route("v1-orders-under", "/v1/orders", "DELETE", "GET", exact=False),
    )


def test_nothing_is_left_out_without_a_word() -> None:
    told = remarks(read(shop()))
    assert told.splitlines() == [
        "Acme Shop API: a pre-request script is not imported",
        "Acme Shop API: auth (bearer) is not imported: use a plugin",
        "Acme Shop API / Orders / List orders: 1 example responses are not imported",
        "Acme Shop API / Orders / Create order: a test script is not imported",
        (
            "Acme Shop API / Orders / Cancel order: {{orderId}} is 4711 here: taken for something"
            " that varies"
        ),
        (
            "requests: queries, headers and bodies of 2 requests are the clients': routes do not"
            " ask for them"
        ),
        (
            "/v1/orders: takes everything under /v1/orders, for DELETE /v1/orders/*,"
            " GET /v1/orders/*/lines: routes have no parameters"
        ),
    ]


def test_names_and_order_do_not_depend_on_the_order_of_requests() -> None:
    other = shop()
    other["item"].reverse()
    other["item"][1]["item"].reverse()
    assert read(other).routes == read(shop()).routes


def test_what_the_operator_says() -> None:
    given = {"host": "10.1.1.1:8443", "orderId": "latest"}
    found = read(shop(), name="My Shop!", variables=given, hosts=("shop.example", "*.a.example"))
    by_name = {route.name: route for route in found.routes}
    assert "my-shop-v1-orders-latest" in by_name
    assert by_name["my-shop-v1-orders"].hosts == ("shop.example", "*.a.example")
    assert found.upstreams[1].targets[0].address == "10.1.1.1:8443"


def test_hosts_can_be_kept() -> None:
    same = [request("a", "http://one.example/x"), request("b", "http://two.example/x")]
    found = read(collection(*same))
    assert [route.upstream for route in found.routes] == ["one-example-80"]
    assert "not imported: GET /x goes to one.example:80 already, not to two" in remarks(found)
    kept = read(collection(*same), keep_hosts=True)
    assert [(route.hosts, route.preserve_host) for route in kept.routes] == [
        (("one.example",), True),
        (("two.example",), True),
    ]
    assert len({route.name for route in kept.routes}) == 2


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("{{nowhere}}/x", "{{nowhere}} has no value: give --variable nowhere=…"),
        ("ftp://files.example/x", "no http or https URL"),
        ("http://user:secret@a.example/", "user and a password"),
        ("http://a.example:70000/", "not imported"),
        ("http://bücher.example/", "ASCII"),
        ("http://a.example/a/%2e%2E/b", "is not allowed in paths"),
        ("http://a.example/a%2Fb", "is not allowed in paths"),
        ("http://a.example/%ff", "not imported"),
        (None, "no http or https URL"),
    ],
)
def test_what_cannot_be_a_route_is_named(url: object, why: str) -> None:
    found = read(collection(request("bad", url), request("good", "http://a.example/ok")))
    assert [route.path for route in found.routes] == ["/ok"]
    assert why in remarks(found)
    assert remarks(found).startswith("c / bad: not imported")
    assert "secret" not in remarks(found)


@pytest.mark.parametrize(
    ("url", "path", "exact"),
    [
        ("a.example", "/", True),
        ("http://a.example//a///b", "/a/b", True),
        ("http://a.example/with space/ü", "/with%20space/%C3%BC", True),
        ("http://a.example/%7euser/a%20b", "/~user/a%20b", True),
        ("http://a.example/{{$guid}}", "/", False),
        ("http://a.example/a/v{{unknown}}/b", "/a", False),
        ({"host": "a.example", "path": "/x/y"}, "/x/y", True),
        ({"host": ["a"], "path": [{"type": "string", "value": "x"}, ":id"]}, "/x", False),
        ({"raw": "http://a.example/raw"}, "/raw", True),
    ],
)
def test_urls(url: object, path: str, exact: bool) -> None:
    (route,) = read(collection(request("r", url))).routes
    assert (route.path, route.exact) == (path, exact)


def test_names_that_would_meet_are_told_apart() -> None:
    found = read(
        collection(request("a", "http://a.example/a/b"), request("b", "http://a.example/a-b"))
    )
    first, second = (route.name for route in found.routes)
    assert first == "c-a-b"
    assert second.startswith("c-a-b-")


def test_methods_that_routes_cannot_have() -> None:
    found = read(collection(request("odd", "http://a.example/", "M-SEARCH"), {"name": "empty"}))
    assert found.routes == ()
    assert "'M-SEARCH' is no method" in remarks(found)
    assert "c / empty: not imported: it has no request" in remarks(found)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"info": {"schema": "https://schema.getpostman.com/json/collection/v1.0.0/"}},
        {"info": []},
    ],
)
def test_only_collections_are_taken(document: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="no Postman collection"):
        read(document)


def test_the_shape_of_postmans_own_api() -> None:
    assert read({"collection": shop()}) == read(shop())


def test_folders_end_somewhere() -> None:
    deep: dict[str, Any] = request("r", "http://a.example/")
    for _ in range(60):
        deep = {"name": "f", "item": [deep]}
    with pytest.raises(Invalid, match="deep"):
        read(collection(deep))


def test_variables_in_a_circle() -> None:
    around = [{"key": "a", "value": "{{b}}"}, {"key": "b", "value": "{{a}}"}]
    found = read(collection(request("r", "{{a}}/x"), variable=around))
    assert "has no value" in remarks(found)
