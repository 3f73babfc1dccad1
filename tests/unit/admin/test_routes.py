"""Routes, upstreams, documents, operations and workers over HTTP."""

from __future__ import annotations

import time
from typing import Any

from plugbay.control import FileSet
from plugbay.gateway import RouteSpec, Target, UpstreamSpec

from .conftest import V1, World

UPSTREAM: dict[str, Any] = {"name": "api", "targets": [{"address": "127.0.0.1:9000"}]}
ROUTE: dict[str, Any] = {"name": "all", "upstream": "api", "path": "/api"}


def add_both(world: World) -> None:
    world.change("PUT", "/upstreams/api", json=UPSTREAM)
    world.change("PUT", "/routes/all", json=ROUTE)


def test_upstreams_and_routes_are_made_changed_and_deleted(world: World) -> None:
    add_both(world)
    assert world.ask("GET", "/upstreams").json()["items"][0]["spec"]["balance"] == "round-robin"
    route = world.ask("GET", "/routes").json()["items"][0]
    assert (route["name"], route["managed_by"], route["revision"]) == ("all", "api", 2)
    assert world.ask("PUT", "/routes/all", json=ROUTE).status_code == 428
    assert world.ask("DELETE", "/routes/all").status_code == 428
    wish = {**ROUTE, "path": "/v2"}
    world.change("PUT", "/routes/all", json=wish, headers=world.etag("/routes/all"))
    assert world.ask("GET", "/routes/all").json()["spec"]["path"] == "/v2"
    used = world.ask("DELETE", "/upstreams/api", headers=world.etag("/upstreams/api"))
    assert used.status_code in (409, 422)
    world.change("DELETE", "/routes/all", headers=world.etag("/routes/all"))
    world.change("DELETE", "/upstreams/api", headers=world.etag("/upstreams/api"))
    for path in ("/routes/all", "/upstreams/api", "/routes/all/chain"):
        assert world.ask("GET", path).status_code == 404


def test_the_route_of_a_request_is_told_without_sending_it(world: World) -> None:
    add_both(world)
    found = world.ask("GET", "/match", params={"url": "http://u@a.test:80/api/x?y=1"}).json()
    assert found["route"] == "all"
    assert found["considered"] == [{"route": "all", "chosen": True, "why": "the best match"}]
    missed = world.ask("GET", "/match", params={"url": "/other", "method": "PUT"}).json()
    assert (missed["route"], missed["allowed"]) == (None, [])
    assert "does not lie under '/api'" in missed["considered"][0]["why"]
    for url in ("http://[x/", "/ü", "/a%zz"):
        assert world.ask("GET", "/match", params={"url": url}).status_code == 422


def test_a_wrong_route_is_refused_with_pointers(world: World) -> None:
    cases = [
        ({**ROUTE, "name": "other"}, "/name"),
        ({**ROUTE, "pahts": "/"}, "/pahts"),
        ({**ROUTE, "priority": "high"}, "/priority"),
        (ROUTE, "/routes/all/upstream"),
    ]
    for wish, pointer in cases:
        answer = world.ask("PUT", "/routes/all", json=wish)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
    answer = world.ask("PUT", "/upstreams/api", json={"name": "api"})
    assert answer.status_code == 422


def test_what_the_file_manages_the_api_does_not_change(world: World) -> None:
    upstream = UpstreamSpec(name="api", targets=(Target(address="127.0.0.1:9000"),))
    change = FileSet(upstreams=(upstream,), routes=(RouteSpec(name="all", upstream="api"),))
    assert world.client.blocking_portal is not None

    async def take_file() -> None:
        control = world.cluster.coordinator
        operation = await control.submit(change, actor="file")
        await control.wait(operation.id, timeout=10)

    world.client.blocking_portal.call(take_file)
    assert world.ask("GET", "/routes/all").json()["managed_by"] == "file"
    answer = world.ask("PUT", "/routes/all", json=ROUTE, headers=world.etag("/routes/all"))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    answer = world.ask("POST", "/plan", json={"routes": [ROUTE]})
    assert answer.json()["errors"][0]["pointer"] == "/routes/0"
    kept = world.ask("POST", "/plan", json={"prune": True}).json()
    assert kept["steps"] == []


def test_the_order_of_a_chain_is_explained(world: World) -> None:
    add_both(world)
    late = (
        'id = "late"\nversion = "1.0.0"\napi = 1\nruntime = "python"\n'
        'entry = "plugbay_late:Hello"\nprovides = ["request-filter"]\n'
        '[order]\nafter = ["world"]\npriority = 1\n'
    )
    world.upload(id="late", manifest=late)
    for id in ("late", "world"):
        world.run(id)
    world.run("hello", routes=[])
    chain = world.ask("GET", "/routes/all/chain").json()["plugins"]
    assert [entry["plugin"] for entry in chain] == ["hello", "world", "late"]
    assert "world" in chain[2]["why"]
    assert chain[0]["hooks"] == ["on_request"]
    world.change("PUT", "/routes/two", json={**ROUTE, "name": "two"})
    match = world.etag("/plugins/hello")
    world.change("PUT", "/plugins/hello", json={"routes": ["two"]}, headers=match)
    chain = world.ask("GET", "/routes/all/chain").json()["plugins"]
    assert [entry["plugin"] for entry in chain] == ["world", "late"]


def test_a_document_is_planned_and_applied_as_one_change(world: World) -> None:
    world.upload()
    plugin = {"id": "hello", "version": "1.0.0", "config": {"greeting": "hi"}, "routes": ["all"]}
    document = {"plugins": [plugin], "routes": [ROUTE], "upstreams": [UPSTREAM]}
    planned = world.ask("POST", "/plan", json=document)
    steps = [(one["op"], one["kind"], one["name"]) for one in planned.json()["steps"]]
    assert steps == [
        ("add", "upstreams", "api"),
        ("add", "routes", "all"),
        ("add", "plugins", "hello"),
    ]
    assert world.ask("GET", "/routes").json()["items"] == []
    match = {"if-match": planned.headers["etag"]}
    done = world.change("POST", "/apply", json=document, headers=match)
    assert (done["kind"], done["revision"]) == ("batch", 1)
    assert world.ask("POST", "/apply", json=document, headers=match).status_code == 412
    again = world.ask("POST", "/plan", json=document).json()
    assert again["steps"] == []
    idle = world.change("POST", "/apply", json=document)
    assert (idle["state"], idle["revision"]) == ("succeeded", 0)


def test_a_document_changes_and_prunes(world: World) -> None:
    add_both(world)
    world.run("hello")
    plugin = {"id": "hello", "version": "1.0.0", "enabled": False}
    target = {"name": "api", "targets": [{"address": "127.0.0.1:9001"}]}
    document = {"plugins": [plugin], "upstreams": [target], "prune": True}
    steps = world.ask("POST", "/plan", json=document).json()["steps"]
    told = [(one["op"], one["name"], [d["pointer"] for d in one["differences"]]) for one in steps]
    assert told == [
        ("replace", "api", ["/targets/0/address"]),
        ("replace", "hello", ["/enabled"]),
        ("remove", "all", []),
    ]
    world.change("POST", "/apply", json=document)
    assert world.ask("GET", "/plugins/hello").json()["state"] == "disabled"
    assert world.ask("GET", "/routes").json()["items"] == []
    world.change("POST", "/apply", json={"prune": True})
    assert world.ask("GET", "/plugins").json()["items"] == []
    assert world.ask("GET", "/upstreams").json()["items"] == []


def test_everything_wrong_in_a_document_is_said_at_once(world: World) -> None:
    world.upload()
    plugins = [
        {"id": "none", "version": "1"},
        {"id": "hello", "version": "1.0.0", "config": {"greeting": 1}},
    ]
    answer = world.ask("POST", "/apply", json={"plugins": plugins})
    assert answer.status_code == 422
    pointers = [one["pointer"] for one in answer.json()["errors"]]
    assert pointers == ["/plugins/0/version", "/plugins/1/config/greeting"]


def test_operations_are_listed_newest_first_and_cannot_be_cancelled_late(world: World) -> None:
    add_both(world)
    world.run()
    page = world.ask("GET", "/operations?limit=2").json()
    assert [one["kind"] for one in page["items"]] == ["enable", "put-route"]
    rest = world.ask("GET", f"/operations?limit=2&next={page['next']}").json()
    assert [one["kind"] for one in rest["items"]] == ["put-upstream"]
    assert rest["next"] is None
    done = page["items"][0]["id"]
    assert world.ask("POST", f"/operations/{done}/cancel").status_code == 409
    assert world.ask("GET", "/operations/none").status_code == 404
    assert world.ask("POST", "/operations/none/cancel").status_code == 404


def test_workers_and_nodes(world: World) -> None:
    world.run()
    listed = world.ask("GET", "/workers").json()
    assert listed["converged"] is True
    assert [one["worker"] for one in listed["items"]] == ["w0", "w1"]
    old = world.ask("GET", "/workers/w0").json()
    assert (old["revision"], old["in_flight"]) == (1, 0)
    assert old["slots"][0]["plugin"] == "hello"
    node = world.ask("GET", "/nodes").json()["items"][0]
    assert (node["workers"], node["converged"]) == (2, True)
    assert world.ask("POST", "/workers/w0/restart").status_code == 202
    deadline = time.monotonic() + 100
    while True:
        fresh = world.ask("GET", "/workers/w0")
        if (
            fresh.status_code == 200
            and fresh.json()["converged"]
            and fresh.json()["pid"] != old["pid"]
        ):
            break
        assert time.monotonic() < deadline
    for method, path in (("GET", "/workers/w9"), ("POST", "/workers/w9/restart")):
        assert world.ask(method, path).status_code == 404


def test_the_place_of_an_operation_is_audited(world: World) -> None:
    done = world.change("PUT", "/upstreams/api?reason=why", json=UPSTREAM)
    line = world.audited[-1]
    assert (line["method"], line["status"]) == ("PUT", 200)
    assert line["location"] == f"{V1}/operations/{done['id']}"


def test_mcp_servers_and_federations_are_made_changed_and_deleted(world: World) -> None:
    env = {"KEY": "${secret:k}", "PLAIN": "secret"}
    server = {"name": "files", "command": "cat", "env": env}
    world.change("PUT", "/mcp/servers/files", json=server)
    members = [{"url": "http://127.0.0.1:9/mcp", "prefix": "far", "headers": {"x": "y"}}]
    union = {"name": "union", "members": [{"server": "files"}, *members]}
    world.change("PUT", "/mcp/federations/union", json=union)
    world.change("PUT", "/routes/all", json={"name": "all", "mcp": "union", "path": "/"})
    found = world.ask("GET", "/mcp/servers").json()["items"][0]
    assert (found["managed_by"], found["spec"]["env"], found["status"]) == ("api", env, None)
    for path, pointer in (
        ("/mcp/servers/files", "/mcp/federations/union/members/0/server"),
        ("/mcp/federations/union", "/routes/all/mcp"),
    ):
        refused = world.ask("DELETE", path, headers=world.etag(path))
        assert refused.json()["errors"][0]["pointer"] == pointer
    assert world.ask("PUT", "/mcp/servers/other", json=server).status_code == 422
    world.change("DELETE", "/routes/all", headers=world.etag("/routes/all"))
    for path in ("/mcp/federations/union", "/mcp/servers/files"):
        world.change("DELETE", path, headers=world.etag(path))
        assert world.ask("GET", path).status_code == 404


def test_only_an_admin_changes_mcp_servers_and_sees_their_plain_values(world: World) -> None:
    env = {"KEY": "${secret:k}", "PLAIN": "secret"}
    world.change("PUT", "/mcp/servers/a", json={"name": "a", "command": "cat", "env": env})
    member = {"url": "http://127.0.0.1:9/", "prefix": "x", "headers": {"x": "y"}}
    world.change("PUT", "/mcp/federations/f", json={"name": "f", "members": [member]})
    poor = world.token("read")
    shown = world.client.get(f"{V1}/mcp/servers/a", headers=poor).json()
    assert shown["spec"]["env"] == {"KEY": "${secret:k}", "PLAIN": "[redacted]"}
    shown = world.client.get(f"{V1}/mcp/federations/f", headers=poor).json()
    assert shown["spec"]["members"][0]["headers"] == {"x": "[redacted]"}
    for path in ("/mcp/servers/b", "/mcp/federations/b"):
        assert world.client.put(f"{V1}{path}", headers=poor, json={}).status_code == 403
