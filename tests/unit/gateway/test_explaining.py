"""Why a request takes one route and not another."""

from __future__ import annotations

from typing import Any

import pytest

from plugbay.gateway import RouteSpec, explain_route
from plugbay.kernel import Invalid


def route(name: str, path: str = "/", **fields: Any) -> RouteSpec:
    return RouteSpec(name=name, path=path, upstream="u", **fields)


def test_an_explanation_names_the_winner_and_why_the_others_lost() -> None:
    routes = (
        route("winner", "/a/b", priority=2, hosts=("h.test",)),
        route("low", "/a/b", priority=1),
        route("exact", "/a/b", exact=True, priority=2, hosts=("h.test",), methods=("POST",)),
        route("short", "/a", priority=2),
        route("wild", "/a/b", priority=2, hosts=("*.test",)),
        route("same", "/a/b", priority=2, hosts=("h.test",)),
        route("host", "/a", hosts=("other.test", "*.org")),
        route("path", "/c"),
        route("equal", "/a", exact=True),
    )
    found = explain_route(routes, b"h.test:80", b"/a/b", b"GET")
    assert found.route == "winner"
    assert found.allowed == ("POST",)
    assert {c.route: c.why for c in found.considered} == {
        "winner": "the best match",
        "low": "'winner' has the higher priority, 2",
        "exact": "method GET is none of POST",
        "short": "'winner' has the longer path",
        "wild": "'winner' names the host more closely, or comes first",
        "same": "'winner' comes first",
        "host": "host 'h.test' is none of other.test, *.org",
        "path": "path '/a/b' does not lie under '/c'",
        "equal": "path '/a/b' does not equal '/a'",
    }
    assert [c.route for c in found.considered if c.chosen] == ["winner"]
    posted = explain_route(routes, b"h.test", b"/a/b", b"POST")
    assert posted.route == "exact"
    assert posted.considered[0].why == "'exact' is exact"


def test_an_explanation_of_no_match_has_no_winner() -> None:
    found = explain_route((route("a", "/a", methods=("GET",)),), b"h", b"/./a", b"PUT")
    assert found.route is None
    assert found.allowed == ("GET",)


def test_a_path_that_is_refused_is_not_matched() -> None:
    with pytest.raises(Invalid, match="is refused"):
        explain_route((route("a"),), b"h", b"/a/..%2f", b"GET")
