"""OpenAPI documents become routes."""

from __future__ import annotations

from typing import Any

import pytest

from plugbay.control.interchange import Imported, Options, import_openapi
from plugbay.gateway import Tls
from plugbay.gateway.routing._routes import Router
from plugbay.kernel import Invalid

from .documents import petstore


def read(document: dict[str, Any], **said: Any) -> Imported:
    found = import_openapi(document, Options(**said))
    Router(found.routes, {route.name: route for route in found.routes})
    return found


def told(found: Imported) -> dict[str, str]:
    return {remark.where: remark.detail for remark in found.remarks}


def test_a_document_of_the_usual_shape() -> None:
    found = read(petstore())
    assert [
        (route.name, route.path, route.exact, route.methods, route.upstream)
        for route in found.routes
    ] == [
        ("pet-store-status", "/status", True, ("GET",), "status-pets-example-80"),
        ("pet-store-v2-pets", "/v2/pets", True, ("GET", "POST"), "eu-pets-example-8443"),
        ("pet-store-v2-pets-under", "/v2/pets", False, ("GET", "PUT"), "eu-pets-example-8443"),
    ]
    assert [(one.targets[0].address, one.tls) for one in found.upstreams] == [
        ("eu.pets.example:8443", Tls()),
        ("status.pets.example:80", None),
    ]


def test_what_routes_cannot_say() -> None:
    assert told(read(petstore())) == {
        "/elsewhere": "not imported: other.yaml#/x is not in this file",
        "security": "security (key) is not imported: use a plugin",
        "servers": "not imported: https://staging.pets.example; --server chooses another",
        "callbacks": "not imported: those of POST /pets (createPet)",
        "webhooks": "not imported: newPet",
        "examples": "those of 1 operations are not imported",
        "schemas": "parameters, bodies and answers are not checked: routes do not ask for them",
        "/v2/pets": "takes everything under /v2/pets, for GET /v2/pets/*, PUT /v2/pets/*/*:"
        " routes have no parameters",
    }


def test_what_the_operator_says() -> None:
    found = read(petstore(), variables={"region": "us"})
    assert found.upstreams[1].targets[0].address == "us.pets.example:8443"
    one = read(petstore(), server="http://127.0.0.1:9/base")
    assert [upstream.name for upstream in one.upstreams] == ["127-0-0-1-9"]
    assert "/base/pets" in {route.path for route in one.routes}


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ([], "names no server"),
        ([{"url": "/v1"}], "has no host: give --server"),
        ([{"url": "https://{where}.example"}], "no host name"),
    ],
)
def test_servers_that_say_too_little(servers: list[object], why: str) -> None:
    document = petstore(servers=servers, paths={"/x": {"get": {"operationId": "x"}}})
    found = read(document)
    assert found.routes == ()
    assert why in told(found)["GET /x (x)"]


@pytest.mark.parametrize(
    "document", [{}, {"swagger": "2.0"}, {"openapi": "4.0.0"}, {"openapi": 3.0}]
)
def test_only_openapi_3_is_taken(document: dict[str, Any]) -> None:
    if document.get("openapi") == 3.0:  # YAML reads an unquoted 3.0 as a number
        assert read(document).routes == ()
        return
    with pytest.raises(Invalid, match="no OpenAPI"):
        read(document)
