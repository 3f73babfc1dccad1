"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from plugbay.admin._openapi import operations

from .conftest import V1, World

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = {
    "getSignInWays",
    "signIn",
    "signInWithCode",
    "issueAccessToken",
    "issueAccessTokenWithCode",
    "refreshAccessToken",
    "login",
    "startOidc",
    "endOidc",
}
"""What anybody may call; a route that is not meant to be here fails the test."""


def document(world: World) -> dict[str, Any]:
    answer = world.client.get(f"{V1}/openapi.json", headers=world.token())
    assert answer.status_code == 200
    return cast("dict[str, Any]", answer.json())


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in cast("dict[str, object]", node).items():
            if key == "$ref" and isinstance(value, str):
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from references(value)


def test_it_has_every_route_once(world: World) -> None:
    said = document(world)
    assert said["openapi"].startswith("3.1")
    routes = {(path, method) for path, method, _ in operations(world.routes)}
    told = {(path, method) for path, item in said["paths"].items() for method in item}
    assert told == routes
    ids = [one["operationId"] for item in said["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", id_) for id_ in ids)


def test_every_operation_says_its_problems_and_who_may(world: World) -> None:
    said = document(world)
    problem = {"$ref": "#/components/schemas/ProblemDetails"}
    for path, item in said["paths"].items():
        for method, one in item.items():
            statuses = one["responses"]
            assert {"400", "401", "403", "404", "422", "429", "500"} <= set(statuses)
            for status, response in statuses.items():
                if int(status) >= 400:
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == problem, (path, method, status)
                    other = {"application/problem+json", "application/json"}
                    assert set(response["content"]) <= other, (path, method, status)
            assert any(int(status) < 400 for status in statuses), (path, method)
            assert one["summary"] or one["description"]
            assert (one["security"] == []) == (one["operationId"] in PUBLIC)


def test_every_reference_leads_somewhere(world: World) -> None:
    said = document(world)
    for reference in references(said):
        name = reference.removeprefix("#/components/schemas/")
        assert name in said["components"]["schemas"], reference


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(world: World) -> None:
    said = document(world)
    headers = world.token()
    page = world.client.get("/admin/api/docs", headers=headers)
    assert page.headers["content-type"].startswith("text/html")
    for item in said["paths"].values():
        for one in item.values():
            assert f'id="{one["operationId"]}"' in page.text
    assert "<script" not in page.text
    assets = re.findall(r'(?:src|href)="([^#"][^"]*)"', page.text)
    assert set(assets) == {"/admin/api/docs/style.css", "/admin/api/v1/openapi.json"}
    style = world.client.get("/admin/api/docs/style.css", headers=headers)
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
