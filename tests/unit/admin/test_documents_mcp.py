"""MCP servers and federations in documents: their order, what is hidden, and who may apply them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugbay.control import FileSet
from plugbay.mcp.serving import McpSpec, ServerSpec

from .conftest import V1

if TYPE_CHECKING:
    from .conftest import World

FILES = {"name": "files", "command": "server", "env": {"KEY": "precious", "REF": "${secret:x}"}}
WORK = {"name": "work", "members": [{"server": "files"}]}
MCP = {"servers": [FILES], "federations": [WORK]}
SERVER_FIELDS = (
    "name",
    "command",
    "args",
    "env",
    "directory",
    "restart",
    "crashes",
    "idle",
    "origins",
)
ROUTE = {"name": "work", "path": "/work", "mcp": "work"}


def steps(world: World, document: dict[str, Any]) -> list[tuple[str, str, str]]:
    answer = world.ask("POST", "/plan", json=document)
    assert answer.status_code == 200, answer.text
    return [(one["op"], one["kind"], one["name"]) for one in answer.json()["steps"]]


def pointers(world: World, path: str, document: dict[str, Any]) -> list[str]:
    answer = world.ask("POST", path, json=document)
    assert answer.status_code == 422, answer.text
    return [one["pointer"] for one in answer.json()["errors"]]


def test_servers_come_before_what_names_them_and_go_after(world: World) -> None:
    document = {"mcp": MCP, "routes": [ROUTE]}
    assert steps(world, document) == [
        ("add", "mcp_servers", "files"),
        ("add", "mcp_federations", "work"),
        ("add", "routes", "work"),
    ]
    world.change("POST", "/apply", json=document)
    assert steps(world, document) == []
    assert world.ask("GET", "/mcp/federations/work").json()["spec"]["members"][0]["prefix"] == ""
    assert steps(world, {"mcp": {}, "prune": True}) == [
        ("remove", "routes", "work"),
        ("remove", "mcp_federations", "work"),
        ("remove", "mcp_servers", "files"),
    ]
    # A document from before there were MCP servers in any takes none away.
    assert steps(world, {"prune": True}) == [("remove", "routes", "work")]
    world.change("POST", "/apply", json={"mcp": {}, "prune": True})
    assert world.ask("GET", "/mcp/servers").json()["items"] == []


def test_a_refusal_points_into_the_document(world: World) -> None:
    other = {"name": "other", "command": "server"}
    wrong = {"name": "work", "members": [{"server": "files"}, {"server": "nowhere"}]}
    mcp = {"servers": [other, {**FILES, "command": ""}], "federations": [wrong]}
    assert pointers(world, "/plan", {"mcp": mcp}) == [
        "/mcp/servers/1/command",
        "/mcp/federations/0/members/1/server",
    ]
    assert pointers(world, "/apply", {"mcp": {"servers": [other, other]}}) == ["/mcp/servers"]
    assert pointers(world, "/plan", {"mcp": {"servers": [{**FILES, "env": {"A": 1}}]}})
    world.change("POST", "/apply", json={"mcp": MCP})
    gone = {"mcp": {"federations": [WORK]}, "prune": True}
    assert pointers(world, "/plan", gone) == ["/mcp/federations/0/members/0/server"]


def test_a_plan_finds_what_would_be_refused_later(world: World) -> None:
    routes = [
        {"name": "fine", "path": "/fine", "mcp": "files"},
        {"name": "a/b", "path": "no-slash", "mcp": "files", "hosts": ["x:1"], "methods": ["get"]},
        {"name": "lost", "path": "/lost", "mcp": "nowhere"},
    ]
    for path in ("/plan", "/apply"):
        assert pointers(world, path, {"mcp": MCP, "routes": routes}) == [
            "/routes/1/path",
            "/routes/1/hosts/0",
            "/routes/1/methods/0",
            "/routes/2/mcp",
        ]
    world.run("hello")
    other = {"id": "hello", "version": "1.0.0", "routes": ["none"]}
    assert pointers(world, "/plan", {"plugins": [other]}) == ["/plugins/0/routes"]


def test_a_file_keeps_what_it_manages(world: World) -> None:
    change = FileSet(mcp=McpSpec(servers=(ServerSpec(name="fixed", command="server"),)))

    async def take_file() -> None:
        control = world.cluster.coordinator
        operation = await control.submit(change, actor="file")
        await control.wait(operation.id, timeout=10)

    world.client.blocking_portal.call(take_file)
    assert steps(world, {"mcp": {}, "prune": True}) == []
    fixed = {"name": "fixed", "command": "another"}
    assert pointers(world, "/plan", {"mcp": {"servers": [fixed]}}) == ["/mcp/servers/0"]


def test_only_who_may_change_servers_applies_them_or_sees_secrets(world: World) -> None:
    world.change("POST", "/apply", json={"mcp": MCP})
    drifted = {**FILES, "env": {"KEY": "other", "REF": "${secret:y}"}, "idle": 60.0}
    document = {"mcp": {"servers": [drifted]}}
    seen = world.ask("POST", "/plan", json=document).json()["steps"]
    told = {one["pointer"]: one["old"] for one in seen[0]["differences"]}
    assert told == {"/env/KEY": "precious", "/env/REF": "${secret:x}", "/idle": 1800.0}
    operator = world.token("read", "apply")
    answer = world.client.post(f"{V1}/plan", headers=operator, json=document)
    assert "precious" not in answer.text
    shown = {one["pointer"] for one in answer.json()["steps"][0]["differences"]}
    assert shown == {"/env/REF", "/idle"}
    answer = world.client.post(f"{V1}/apply", headers=operator, json=document)
    assert (answer.status_code, "mcp:write" in answer.json()["detail"]) == (403, True)
    same = {"mcp": MCP}
    assert world.client.post(f"{V1}/apply", headers=operator, json=same).status_code == 202
    world.change("POST", "/apply", json=document)
    assert world.ask("GET", "/mcp/servers/files").json()["spec"]["idle"] == 60.0


def test_what_there_is_is_a_document_that_changes_nothing(world: World) -> None:
    assert world.ask("GET", "/document").json() == {}
    world.run("hello", config={"greeting": "hi"}, watch=5.0)
    upstream = {"name": "api", "targets": [{"address": "127.0.0.1:9000"}], "health": {"path": "/h"}}
    world.change("POST", "/apply", json={"mcp": MCP, "routes": [ROUTE], "upstreams": [upstream]})
    answer = world.ask("GET", "/document")
    assert answer.json() == {
        "mcp": MCP,
        "routes": [ROUTE],
        "upstreams": [upstream],
        "plugins": [
            {"id": "hello", "version": "1.0.0", "config": {"greeting": "hi"}, "watch": 5.0}
        ],
    }
    assert steps(world, {**answer.json(), "prune": True}) == []
    reader = world.token("read")
    assert world.client.get(f"{V1}/document", headers=reader).status_code == 403
    open_to_all = {"mcp": {"servers": [{**FILES, "env": {"REF": "${secret:x}"}}]}}
    world.change("POST", "/apply", json=open_to_all)
    assert world.client.get(f"{V1}/document", headers=reader).json()["mcp"]["servers"]


def test_what_is_deleted_with_its_routes_goes_and_comes_back_as_one(world: World) -> None:
    other = {**ROUTE, "name": "again", "path": "/again"}
    world.change("POST", "/apply", json={"mcp": MCP, "routes": [ROUTE, other]})
    document = world.ask("GET", "/document").json()
    revision = world.cluster.coordinator.desired.revision
    tag = world.etag("/mcp/federations/work")
    path = "/mcp/federations/work"
    assert world.ask("DELETE", path, headers=tag).status_code == 422  # routes lead to it
    token = {**world.token("mcp:write"), **tag}
    assert world.client.delete(f"{V1}{path}?routes=true", headers=token).status_code == 403
    world.change("DELETE", f"{path}?routes=true", headers=tag)
    assert world.cluster.coordinator.desired.revision == revision + 1
    assert world.ask("GET", "/routes").json()["items"] == []
    assert [one["name"] for one in world.ask("GET", "/mcp/servers").json()["items"]] == ["files"]
    world.change("POST", "/apply", json=document)
    assert world.cluster.coordinator.desired.revision == revision + 2
    assert steps(world, {**document, "prune": True}) == []


def test_nothing_goes_if_something_has_to_stay(world: World) -> None:
    direct = {"name": "files", "path": "/files", "mcp": "files"}
    world.change("POST", "/apply", json={"mcp": MCP, "routes": [ROUTE, direct]})
    revision = world.cluster.coordinator.desired.revision
    tag = world.etag("/mcp/servers/files")
    answer = world.ask("DELETE", "/mcp/servers/files?routes=true", headers=tag)
    assert (answer.status_code, "federations/work" in answer.text) == (422, True)
    assert world.cluster.coordinator.desired.revision == revision
    assert {one["name"] for one in world.ask("GET", "/routes").json()["items"]} == {"work", "files"}


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"a": 1}, True, -1, 10**30, "\0", {}])
def test_whatever_a_field_holds_a_refusal_says_where(world: World, value: object) -> None:
    server, member = {**FILES, "name": "s"}, {"server": "files", "prefix": "p"}
    bodies = [{"mcp": {"servers": [{**server, key: value}]}} for key in SERVER_FIELDS]
    bodies += [{"mcp": {**MCP, "federations": [{**WORK, key: value}]}} for key in WORK]
    bodies += [
        {"mcp": {**MCP, "federations": [{**WORK, "members": [{**member, key: value}]}]}}
        for key in member
    ]
    bodies += [{"routes": [{**ROUTE, key: value}]} for key in ROUTE]
    bodies += [{key: value} for key in ("mcp", "routes", "plugins", "upstreams", "prune", "other")]
    for body in bodies:
        answer = world.ask("POST", "/plan", json=body)
        assert answer.status_code in (200, 422), (body, answer.text)
        if answer.status_code == 422:
            assert all(one["pointer"].startswith("/") for one in answer.json()["errors"]), body
