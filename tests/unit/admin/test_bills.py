"""Bills of materials over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..artifacts.sbom.cyclonedx import check
from ..artifacts.wheels import METADATA

if TYPE_CHECKING:
    from .conftest import World

NEEDS = METADATA + "Requires-Dist: packaging>=20\n"


def test_what_an_artifact_is_made_of(world: World) -> None:
    digest = world.upload(metadata=NEEDS)
    answer = world.ask("GET", f"/artifacts/{digest}/sbom")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.cyclonedx+json; version=1.6"
    check(answer.json())
    assert [component["name"] for component in answer.json()["components"]] == ["packaging"]
    assert world.ask("GET", f"/artifacts/{'0' * 64}/sbom").status_code == 404


def test_who_ships_a_component(world: World) -> None:
    first = world.upload(metadata=NEEDS)
    second = world.upload(id="other", metadata=NEEDS)
    world.run("hello")
    answer = world.ask("GET", "/components?name=Packaging&version=>=20,<1000")
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert {item["artifact"]: item["enabled"] for item in items} == {first: True, second: False}
    assert items[0]["purl"].startswith("pkg:pypi/packaging@")
    assert all(item["certain"] for item in items)
    assert world.ask("GET", "/components?name=packaging&version=<20").json()["items"] == []
    page = world.ask("GET", "/components?name=packaging&limit=1").json()
    assert (len(page["items"]), page["next"]) == (1, "1")


def test_a_search_is_checked(world: World) -> None:
    refused = world.ask("GET", "/components?name=packaging&version=soon")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/version")
    assert world.ask("GET", "/components").status_code in (400, 422)
    assert world.client.get("/admin/api/v1/components?name=x").status_code == 401
