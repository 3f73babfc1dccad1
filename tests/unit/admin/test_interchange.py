"""Documents of other tools over HTTP: planned, applied, and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import World

OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:9000/v1"}],
    "paths": {"/pets": {"get": {"responses": {}}}, "/pets/{id}": {"delete": {"responses": {}}}},
}


def test_an_openapi_document_is_planned_then_applied(world: World) -> None:
    answer = world.ask("POST", "/import", json=OPENAPI)
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert next((step["op"], step["kind"]) for step in plan["steps"]) == ("add", "upstreams")
    assert world.ask("GET", "/routes").json()["items"] == []
    wish = {key: plan[key] for key in ("routes", "upstreams")}
    world.change("POST", "/apply", json=wish, headers={"if-match": answer.headers["etag"]})
    assert len(world.ask("GET", "/routes").json()["items"]) == len(plan["routes"]) > 0
    assert world.ask("POST", "/import", json=OPENAPI).json()["steps"] == []
    other = world.ask("POST", "/import?name=other&server=http://127.0.0.1:9001", json=OPENAPI)
    assert all(route["name"].startswith("other") for route in other.json()["routes"])


def test_the_exported_collection_gives_the_same_routes_again(world: World) -> None:
    plan = world.ask("POST", "/import", json=OPENAPI).json()
    wish = {key: plan[key] for key in ("routes", "upstreams")}
    world.change("POST", "/apply", json=wish)
    exported = world.ask("GET", "/export/postman?base_url=http://127.0.0.1:8080")
    assert "attachment" in exported.headers["content-disposition"]
    again = world.ask("POST", "/import", json=exported.json()).json()
    assert (again["steps"], again["routes"]) == ([], plan["routes"])


def test_what_is_no_document_is_refused(world: World) -> None:
    assert world.ask("POST", "/import", content=b"not json").status_code == 400
    assert world.ask("POST", "/import", content=b'{"a":' * 100_000).status_code == 400
    assert world.ask("POST", "/import", json={}).status_code == 422
    assert world.ask("POST", "/import", json={"openapi": "2.0"}).status_code == 422
