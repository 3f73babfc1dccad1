"""The configuration of plugins over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import World

PATH = "/plugins/hello/config"


def test_a_new_configuration_is_a_new_version(world: World) -> None:
    world.run(config={"greeting": "one"}, comment="first")
    wish = {"config": {"greeting": "two"}, "comment": "second"}
    assert world.ask("PUT", PATH, json=wish).status_code == 428
    world.change("PUT", PATH, json=wish, headers=world.etag(PATH))
    view = world.ask("GET", PATH).json()
    assert (view["version"], view["config"]) == (2, {"greeting": "two"})
    assert view["config_schema"]["additionalProperties"] is False
    versions = world.ask("GET", f"{PATH}/versions").json()["items"]
    assert [(one["version"], one["comment"]) for one in versions] == [(2, "second"), (1, "first")]
    assert {one["author"] for one in versions} == {"admin"}


def test_what_the_schema_refuses_is_not_kept(world: World) -> None:
    world.run()
    wish = {"config": {"greeting": 5, "greting": "x"}}
    answer = world.ask("PUT", PATH, json=wish, headers=world.etag(PATH))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/greeting", "/greting"]
    assert len(world.ask("GET", f"{PATH}/versions").json()["items"]) == 1


def test_validate_changes_nothing_and_says_what_would_be_different(world: World) -> None:
    world.run(config={"greeting": "one"})
    good = world.ask("POST", f"{PATH}/validate", json={"config": {"greeting": "two"}})
    assert good.json() == {
        "valid": True,
        "differences": [{"pointer": "/greeting", "op": "replace", "old": "one", "new": "two"}],
    }
    bad = world.ask("POST", f"{PATH}/validate", json={"config": {"greeting": 1}})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/greeting")
    assert world.ask("GET", PATH).json()["version"] == 1


def test_validate_for_an_artifact_that_does_not_run_yet(world: World) -> None:
    digest = world.upload()
    path = "/plugins/hello/config/validate"
    assert world.ask("POST", path, json={"config": {}}).status_code == 404
    good = world.ask("POST", path, json={"config": {"greeting": "x"}, "digest": digest})
    assert good.json()["differences"][0]["op"] == "add"


def test_references_are_shown_as_they_are(world: World) -> None:
    world.run(config={"greeting": "${env:HOME} and ${secret:name}"})
    assert world.ask("GET", PATH).json()["config"]["greeting"] == "${env:HOME} and ${secret:name}"
    bad = {"config": {"greeting": "${HOME}"}}
    answer = world.ask("PUT", PATH, json=bad, headers=world.etag(PATH))
    assert answer.json()["errors"][0]["detail"] == "not a reference"


def test_difference_and_rollback(world: World) -> None:
    world.run(config={"greeting": "one"})
    world.change("PUT", PATH, json={"config": {}}, headers=world.etag(PATH))
    found = world.ask("GET", f"{PATH}/versions/1/diff").json()
    assert (found["old"], found["new"]) == (1, 2)
    assert found["differences"] == [
        {"pointer": "/greeting", "op": "remove", "old": "one", "new": None}
    ]
    assert world.ask("GET", f"{PATH}/versions/1/diff?to=1").json()["differences"] == []
    assert world.ask("GET", f"{PATH}/versions/1/diff?to=9").status_code == 404
    done = world.change("POST", f"{PATH}/rollback", json={"version": 1, "comment": "back"})
    assert done["receipt"]["changes"][0]["new_config_version"] == 3
    view = world.ask("GET", PATH).json()
    assert (view["version"], view["config"]) == (3, {"greeting": "one"})
    assert world.ask("POST", f"{PATH}/rollback", json={"version": 9}).status_code == 404


def test_there_is_no_config_of_what_is_not_there(world: World) -> None:
    for method, path in (("GET", ""), ("GET", "/versions"), ("PUT", ""), ("POST", "/rollback")):
        body: dict[str, Any] = {"config": {}} if method == "PUT" else {"version": 1}
        answer = world.ask(method, f"{PATH}{path}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_of_what_is_only_stored_it_is_said_what_to_do(world: World) -> None:
    assert world.ask("GET", PATH).json()["detail"] == "there is no plugin hello"
    world.upload()
    said = "there is no plugin hello, only its artifact 1.0.0: enable that first"
    for path in (PATH, "/plugins/hello"):
        answer = world.ask("GET", path)
        assert (answer.status_code, answer.json()["detail"]) == (404, said)
