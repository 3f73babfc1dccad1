"""`plugbay import` and `plugbay export`."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest

from plugbay.gateway import RouteSpec, Target, UpstreamSpec

from ..control.interchange.documents import SCHEMA, collection, petstore, request, shop

YAML = """\
openapi: 3.0.3
info: {title: Tiny, version: "1"}
servers: [{url: "http://a.example"}]
paths:
  /x: {get: {responses: {}}}
"""


@pytest.fixture
def file(tmp_path):
    def write(content, name="file.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def planned(api, *ops: str) -> None:
    steps = [
        {"op": op, "kind": "routes", "name": f"r{n}", "differences": []} for n, op in enumerate(ops)
    ]
    api.on("POST", "/plan", {"revision": 7, "steps": steps}, etag='"7"')


def test_a_dry_run_changes_nothing(api, cli, file):
    planned(api, "add")
    done = cli("import", "postman", file(shop()), "--dry-run")
    assert done.code == 0, done.err
    assert "r0" in done.out
    assert "plugbay: Acme Shop API: auth (bearer) is not imported: use a plugin" in done.err
    (seen,) = api.seen
    assert (seen.method, seen.path) == ("POST", "/plan")
    assert {route["name"] for route in seen.json["routes"]} == {
        "acme-shop-api-healthz",
        "acme-shop-api-v1-orders",
        "acme-shop-api-v1-orders-under",
    }
    told = cli("import", "postman", file(shop()), "--dry-run", "-o", "json").json
    assert told["remarks"][0]["where"] == "Acme Shop API"
    assert told["steps"][0]["op"] == "add"


def test_it_is_applied_as_it_was_planned(api, cli, file, an_operation):
    planned(api, "add", "add")
    api.on("POST", "/apply", an_operation(kind="batch"))
    done = cli("import", "postman", file(shop()), "--reason", "move")
    assert done.code == 0, done.err
    assert api.seen[-1].headers["if-match"] == '"7"'
    assert api.seen[-1].query["reason"] == "move"
    assert api.seen[-1].json == api.seen[0].json


def test_what_is_there_is_not_replaced_unasked(api, cli, file, an_operation):
    planned(api, "replace")
    api.on("POST", "/apply", an_operation())
    refused = cli("import", "postman", file(shop()))
    assert refused.code == 1
    assert "there already: routes/r0; --replace" in refused.err
    assert [seen.path for seen in api.seen] == ["/plan"]
    assert cli("import", "postman", file(shop()), "--replace").code == 0


def test_nothing_to_do(api, cli, file):
    planned(api)
    assert "nothing to do" in cli("import", "postman", file(shop())).out
    assert cli("import", "postman", file(shop()), "-o", "json").json["steps"] == []
    assert {seen.path for seen in api.seen} == {"/plan"}


def test_variables_and_environments(api, cli, file):
    planned(api, "add")
    values = [
        {"key": "base", "value": "http://env.example", "enabled": True},
        {"key": "off", "value": "x", "enabled": False},
    ]
    environment = file({"values": values}, "env.json")
    requests = [request("a", "{{base}}/a"), request("b", "{{own}}/b"), request("c", "{{off}}/c")]
    source = file(collection(*requests))
    given = ("--environment", environment, "--variable", "own=http://own.example:1")
    done = cli("import", "postman", source, *given, "--host", "h.example", "--dry-run")
    assert "{{off}} has no value" in done.err
    sent = api.seen[-1].json
    addresses = {upstream["targets"][0]["address"] for upstream in sent["upstreams"]}
    assert addresses == {"env.example:80", "own.example:1"}
    assert all(route["hosts"] == ["h.example"] for route in sent["routes"])


def test_openapi_as_json_and_yaml(api, cli, file):
    planned(api, "add")
    assert cli("import", "openapi", file(petstore()), "--dry-run").code == 0
    done = cli("import", "openapi", file(YAML, "api.yaml"), "--dry-run", "--name", "t")
    assert done.code == 0, done.err
    assert [route["name"] for route in api.seen[-1].json["routes"]] == ["t-x"]
    cli("import", "openapi", file(YAML, "a.yml"), "--server", "http://b.example:2", "--dry-run")
    assert api.seen[-1].json["upstreams"][0]["targets"][0]["address"] == "b.example:2"


def test_yaml_needs_a_reader(api, cli, file, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    refused = cli("import", "openapi", file(YAML, "api.yaml"))
    assert refused.code == 1
    assert "pip install pyyaml" in refused.err


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        ("{", "a.json", "cannot be read"),
        ("[]", "a.json", "found no object, but a list"),
        ("[" * 100_000, "a.json", "cannot be read"),
        ("a: [", "a.yaml", "cannot be read"),
        ({"openapi": "3.0.0", "paths": {}}, "a.json", "nothing could be imported"),
    ],
)
def test_files_that_are_none(api, cli, file, content, name, why):
    refused = cli("import", "openapi", file(content, name))
    assert (refused.code, api.seen) == (1, [])
    assert why in refused.err


def test_an_environment_has_values(api, cli, file):
    refused = cli("import", "postman", file(shop()), "--environment", file({"name": "x"}, "e.json"))
    assert "expected a Postman environment, found JSON without a list `values`" in refused.err
    planned(api, "add")
    odd = file({"values": ["x", {"value": 1}, {"key": "host", "value": 8}]}, "odd.json")
    assert cli("import", "postman", file(shop()), "--environment", odd, "--dry-run").code == 0
    assert api.seen[-1].json["upstreams"][1]["targets"][0]["address"] == "8:443"


def test_a_variable_has_a_value(cli, file):
    refused = cli("import", "postman", file(shop()), "--variable", "base")
    assert "expected NAME=VALUE" in refused.err


def test_export_writes_what_is_there(api, cli, tmp_path):
    route = RouteSpec(name="all", upstream="u", path="/x")
    upstream = UpstreamSpec(name="u", targets=(Target(address="a:1"),))
    for path, spec in (("/routes", route), ("/upstreams", upstream)):
        api.on("GET", path, {"items": [{"spec": msgspec.to_builtins(spec)}]})
    made = cli("export", "postman", "--base-url", "http://gw.example").json
    assert made["info"]["schema"] == SCHEMA
    target = tmp_path / "out.json"
    assert cli("export", "postman", target, "--base-url", "http://gw.example").code == 0
    assert json.loads(target.read_text()) == made
    planned(api)
    cli("import", "postman", target)
    assert api.seen[-1].json["routes"] == [json.loads(json.dumps(msgspec.to_builtins(route)))]
