"""Forms for routes, upstreams and MCP servers: what they ask, and what they leave out."""

from __future__ import annotations

from plugbay.admin._spare import spare
from plugbay.admin.pages._mcp_form import federation_form, plain, server_form
from plugbay.admin.pages._spec_form import route_form, upstream_form
from plugbay.gateway import HealthCheck, Retries, RouteSpec, Target, UpstreamSpec
from plugbay.mcp.serving import FederationSpec, MemberSpec, ServerSpec


def test_a_new_route_asks_for_its_name_and_offers_the_upstreams() -> None:
    fields = {field.label: field for field in route_form(None, ["b", "a"])}
    assert fields["name"].required
    assert fields["upstream"].choices == ('"a"', '"b"')
    assert fields["path"].default == "/"
    assert fields["hosts"].kind == "lines"


def test_a_route_that_is_there_keeps_its_name_and_an_upstream_that_is_gone() -> None:
    route = RouteSpec(name="all", upstream="gone", priority=7)
    fields = {field.label: field for field in route_form(route, ["a"])}
    assert "name" not in fields
    assert fields["upstream"].choices == ('"a"', '"gone"')
    assert (fields["priority"].value, fields["priority"].present) == ("7", True)
    assert not fields["path"].present


def test_targets_are_lines_with_weights() -> None:
    targets = (Target(address="a:1"), Target(address="b:2", weight=3))
    fields = {one.label: one for one in upstream_form(UpstreamSpec(name="x", targets=targets))}
    assert (fields["targets"].kind, fields["targets"].value) == ("targets", "a:1\nb:2 3")
    assert fields["health"].kind == "group"
    assert not fields["health"].present


def test_only_what_differs_from_its_type_is_said() -> None:
    upstream = UpstreamSpec(
        name="x",
        targets=(Target(address="a:1"),),
        health=HealthCheck(path="/up"),
        retries=Retries(attempts=2),
    )
    assert spare(upstream) == {
        "name": "x",
        "targets": [{"address": "a:1"}],
        "health": {"path": "/up"},
        "retries": {"attempts": 2},
    }
    assert spare(RouteSpec(name="all", upstream="x")) == {"name": "all", "upstream": "x"}


def test_a_route_may_lead_to_servers_that_the_gateway_runs() -> None:
    fields = {field.label: field for field in route_form(None, ["a"], ["files", "work"])}
    assert fields["upstream"].choices == ('"a"',)
    assert fields["mcp"].choices == ('"a"', '"files"', '"work"')


def test_a_route_has_a_plain_field_where_there_is_nothing_to_choose_from() -> None:
    fields = {field.label: field for field in route_form(None, [])}
    assert (fields["upstream"].kind, fields["mcp"].kind) == ("text", "text")


def test_something_new_of_mcp_may_say_where_clients_find_it() -> None:
    for form in (server_form, federation_form):
        assert form(None)[-1].pointer == "/path"
    known = server_form(ServerSpec(name="x", command="c"))
    assert "path" not in {field.label for field in known}


def test_a_server_s_lines_are_json_where_a_line_would_lose_something() -> None:
    server = ServerSpec(name="x", command="c", args=("-a", "b c"), env={"K": "v=w"}, idle=5.0)
    fields = {field.label: field for field in server_form(server)}
    assert "name" not in fields
    assert (fields["args"].kind, fields["args"].value) == ("lines", "-a\nb c")
    assert (fields["env"].kind, fields["env"].value) == ("pairs", "K=v=w")
    assert plain(server) == {"command": "c", "args": ["-a", "b c"], "env": {"K": "v=w"}, "idle": 5}
    for args, env in (((" a",), {"K": "two\nlines"}), (("",), {"K": "end "})):
        odd = ServerSpec(name="x", command="c", args=args, env=env)
        fields = {field.label: field for field in server_form(odd)}
        assert (fields["args"].kind, fields["env"].kind) == ("json", "json")


def test_members_are_lines_until_one_has_headers() -> None:
    members = (MemberSpec(server="files"), MemberSpec(url="https://x/mcp", prefix="far"))
    fields = {f.label: f for f in federation_form(FederationSpec(name="x", members=members))}
    assert fields["members"].value == "files\nhttps://x/mcp far"
    secret = (MemberSpec(url="https://x/mcp", prefix="far", headers={"a": "b"}),)
    fields = {f.label: f for f in federation_form(FederationSpec(name="x", members=secret))}
    assert fields["members"].kind == "json"
    assert {f.label for f in federation_form(None)} >= {"name", "members"}
    assert plain(None) == {}
