"""Forms for routes and upstreams: what they ask, and what they leave out."""

from __future__ import annotations

from plugbay.admin.pages._spec_form import route_form, spare, upstream_form
from plugbay.gateway import HealthCheck, Retries, RouteSpec, Target, UpstreamSpec


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
        "targets": [{"address": "a:1", "weight": 1}],
        "health": {"path": "/up"},
        "retries": {"attempts": 2},
    }
    assert spare(RouteSpec(name="all", upstream="x")) == {"name": "all", "upstream": "x"}
