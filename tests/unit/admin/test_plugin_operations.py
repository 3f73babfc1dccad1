"""Operations of running plugins: asked of every worker, by those who may, and refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import V1

if TYPE_CHECKING:
    from .conftest import World


def test_every_worker_answers(world: World) -> None:
    world.run()
    answer = world.ask("GET", "/plugins/hello/operations/check?ip=192.0.2.1")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "plugin": "hello",
        "operation": "check",
        "workers": {w: {"asked": ["check"], "ip": "192.0.2.1"} for w in ("w0", "w1")},
        "failed": {},
    }
    listed = world.ask("GET", "/plugins/hello/operations").json()["items"]
    assert [(one["name"], one["changes"]) for one in listed] == [
        ("status", False),
        ("check", False),
        ("lift", True),
        ("lie", False),
    ]


def test_what_changes_something_is_posted_by_who_may(world: World) -> None:
    world.run()
    path = "/plugins/hello/operations/lift"
    answer = world.ask("POST", path, json={"identity": "192.0.2.1", "n": [1, {"a": None}]})
    assert answer.json()["workers"]["w0"]["n"] == [1, {"a": None}]
    assert world.ask("POST", path).json()["workers"]["w1"]["asked"] == ["lift", "lift"]
    reader = world.token("read")
    refused = world.client.post(f"{V1}{path}", headers=reader, json={})
    assert refused.status_code == 403
    assert world.client.get(f"{V1}{path}".replace("lift", "status"), headers=reader).is_success


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "hello/operations/lift", 404, "no operation lift that only reads"),
        ("POST", "hello/operations/status", 404, "no operation status that changes something"),
        ("GET", "hello/operations/ghost", 404, "no operation ghost"),
        ("GET", "ghost/operations/status", 404, "there is no plugin ghost"),
        ("GET", "ghost/operations", 404, "there is no plugin ghost"),
        ("GET", "hello/operations/check", 422, "ip is missing"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    world: World, method: str, path: str, status: int, detail: str
) -> None:
    world.run()
    answer = world.ask(method, f"/plugins/{path}")
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"text"'])
def test_arguments_are_an_object(world: World, body: bytes) -> None:
    world.run()
    answer = world.ask("POST", "/plugins/hello/operations/lift", content=body)
    assert answer.status_code == 400


def test_a_plugin_that_fails_is_named(world: World) -> None:
    world.run(config={"fail": "ask"})
    answer = world.ask("GET", "/plugins/hello/operations/status")
    assert answer.status_code == 502
    assert "RuntimeError: broken" in answer.json()["detail"]


def test_a_disabled_plugin_has_no_operations(world: World) -> None:
    world.run()
    world.change("POST", "/plugins/hello/disable")
    answer = world.ask("GET", "/plugins/hello/operations/status")
    assert answer.status_code == 404
    assert "does not run" in answer.json()["detail"]
