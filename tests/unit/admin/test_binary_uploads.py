"""Executables and shared objects over HTTP, each with its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests import go_binaries

from plugbay.admin import AdminOptions

from ..artifacts.binaries import GOSO, PROCESS, manifest
from ..artifacts.wheels import wheel_bytes

if TYPE_CHECKING:
    from .conftest import World

BINARY = "application/octet-stream"


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(requests_per_minute=100_000, max_upload=8 << 20, heartbeat=0.05)


def push(world: World, name: str, data: bytes, **fields: str) -> Any:
    return world.ask("POST", "/artifacts", files={"file": (name, data, BINARY)}, data=fields)


def test_a_manifest_may_be_a_file_of_the_form_before_or_behind(world: World) -> None:
    data = go_binaries.program().read_bytes()
    text = ("plugbay.toml", PROCESS.text.encode(), "application/toml")
    behind = [("file", ("sample", data, BINARY)), ("manifest", text)]
    made = world.ask("POST", "/artifacts", files=behind)
    assert made.status_code == 201, made.text
    assert made.json()["kind"] == "executable"
    assert made.json()["manifest"]["entry"] == "plugbay"
    before = [("manifest", text), ("file", ("sample", data, BINARY))]
    again = world.ask("POST", "/artifacts", files=before)
    assert again.status_code == 200, again.text
    assert again.json() == made.json()


def test_a_known_binary_is_tried_with_the_configuration_that_comes_with_it(world: World) -> None:
    data = go_binaries.program().read_bytes()
    made = push(world, "sample", data, manifest=PROCESS.text, config='{"greeting": "kind"}')
    assert made.status_code == 201, made.text
    for fields in ({"manifest": PROCESS.text}, {}):  # without a manifest: what is there
        refused = push(world, "sample", data, config='{"fail": "trial"}', **fields)
        assert (refused.status_code, refused.json()["errors"][0]["detail"]) == (422, "it fails")
        again = push(world, "sample", data, config='{"greeting": "loud"}', **fields)
        assert (again.status_code, again.json()) == (200, made.json())
    assert made.json()["manifest"]["config"] == {}
    for odd in ("[1]", "{", "1"):
        refused = push(world, "sample", data, config=odd)
        assert refused.json()["errors"][0]["pointer"] == "/config"


def test_a_binary_that_fails_with_its_configuration_is_rejected_at_first(world: World) -> None:
    data = go_binaries.program().read_bytes()
    refused = push(world, "sample", data, manifest=PROCESS.text, config='{"fail": "trial"}')
    assert (refused.status_code, refused.json()["errors"][0]["detail"]) == (422, "it fails")
    nothing = push(world, "good.so", go_binaries.plugin().read_bytes(), config="{}")
    assert "has to come with the upload" in nothing.text


def test_a_shared_object_shows_how_it_was_built(world: World) -> None:
    made = push(world, "good.so", go_binaries.plugin().read_bytes(), manifest=GOSO.text)
    assert made.status_code == 201, made.text
    build = made.json()["go"]
    assert build["path"] == "example.com/tests/my.plugin"
    assert build["settings"]["-buildmode"] == "plugin"
    assert len(build["packages"]["runtime"]) == 16
    of_kind = world.ask("GET", "/artifacts?kind=shared-object").json()["items"]
    assert [item["digest"] for item in of_kind] == [made.json()["digest"]]
    assert world.ask("GET", "/artifacts?kind=wheel").json()["items"] == []
    assert world.ask("GET", "/artifacts?kind=pony").status_code == 422


def test_all_findings_come_as_one_problem(world: World) -> None:
    refused = push(
        world,
        "library",
        go_binaries.plugin().read_bytes(),
        manifest=manifest("process", provides="[]").text,
    )
    assert refused.status_code == 422
    errors = refused.json()["errors"]
    assert {error["layer"] for error in errors} == {"extension", "manifest"}
    assert all(error["remedy"] for error in errors)
    assert refused.json()["detail"] == "library: the layer extension, manifest refused it"


def test_the_same_bytes_with_another_manifest_are_a_conflict(world: World) -> None:
    data = go_binaries.program().read_bytes()
    assert push(world, "sample", data, manifest=PROCESS.text).status_code == 201
    other = push(world, "sample", data, manifest=manifest("process", version='"2"').text)
    assert other.status_code == 409
    assert "sample 1.0.0" in other.json()["detail"]


def test_a_wheel_has_its_own(world: World) -> None:
    name = "plugbay_hello-1.0.0-py3-none-any.whl"
    refused = push(world, name, wheel_bytes(), manifest=PROCESS.text)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/manifest"


def test_a_manifest_has_a_limit(world: World) -> None:
    huge = push(world, "sample", b"\x7fELF" * 99, manifest="#" * (64 * 1024 + 1))
    assert huge.status_code == 400
    assert "manifest" in huge.json()["detail"]
