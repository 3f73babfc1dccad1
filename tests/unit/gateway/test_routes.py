"""Which route takes a request."""

from __future__ import annotations

import random
from typing import Any

import pytest

from plugbay.gateway import RouteSpec
from plugbay.gateway.routing._routes import Router
from plugbay.kernel import Invalid


def router(*routes: RouteSpec) -> Router[str]:
    return Router(routes, {route.name: route.name for route in routes})


def route(name: str, path: str = "/", **fields: Any) -> RouteSpec:
    return RouteSpec(name=name, path=path, upstream="u", **fields)


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (b"/api", True),
        (b"/api/", True),
        (b"/api/users", True),
        (b"/apis", False),
        (b"/ap", False),
        (b"/x/api", False),
        (b"/", False),
    ],
)
def test_a_prefix_ends_on_a_segment_border(path: bytes, taken: bool) -> None:
    assert (router(route("a", "/api")).match(b"h", path, b"GET") == "a") is taken


def test_a_prefix_with_a_final_slash_does_not_take_the_path_without_it() -> None:
    routes = router(route("a", "/api/"))
    assert routes.match(b"h", b"/api/", b"GET") == "a"
    assert routes.match(b"h", b"/api/x", b"GET") == "a"
    assert routes.match(b"h", b"/api", b"GET") is None


def test_an_exact_path_takes_nothing_below_it() -> None:
    routes = router(route("a", "/api", exact=True))
    assert routes.match(b"h", b"/api", b"GET") == "a"
    assert routes.match(b"h", b"/api/x", b"GET") is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"api.example.com", "exact"),
        (b"API.Example.Com:8080", "exact"),
        (b"api.example.com.", "exact"),
        (b"x.example.com", "wild"),
        (b"y.deep.example.com", "deep"),
        (b"z.y.deep.example.com", "deep"),
        (b"example.com", "any"),
        (b"badexample.com", "any"),
        (b"", "any"),
        (b"[::1]:8080", "v6"),
        (b"[::1]", "v6"),
        (b"[::2]", "any"),
    ],
)
def test_hosts_are_exact_then_the_longest_wildcard_then_any(host: bytes, name: str) -> None:
    routes = router(
        route("any"),
        route("wild", hosts=("*.example.com",)),
        route("deep", hosts=("*.deep.example.com",)),
        route("exact", hosts=("other.test", "api.example.com")),
        route("v6", hosts=("[::1]",)),
    )
    assert routes.match(host, b"/x", b"GET") == name


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (route("b", "/", priority=1), route("w", "/a/b", exact=True)),
        (route("b", "/a/b", exact=True), route("w", "/a/b", hosts=("h",))),
        (route("b", "/a/b"), route("w", "/a", hosts=("h",))),
        (route("b", "/a", hosts=("h.test",)), route("w", "/a", hosts=("*.test",))),
        (route("b", "/a", hosts=("*.test",)), route("w", "/a")),
    ],
)
def test_the_better_route_wins_whatever_the_order(better: RouteSpec, worse: RouteSpec) -> None:
    for routes in (router(better, worse), router(worse, better)):
        assert routes.match(b"h.test", b"/a/b", b"GET") == "b"


def test_of_equals_the_first_wins() -> None:
    assert router(route("one", "/a"), route("two", "/a")).match(b"h", b"/a", b"GET") == "one"


def test_a_route_that_does_not_take_the_method_leaves_it_to_the_next() -> None:
    routes = router(route("post", "/a/b", methods=("POST", "PUT")), route("rest", "/a"))
    assert routes.match(b"h", b"/a/b", b"POST") == "post"
    assert routes.match(b"h", b"/a/b", b"GET") == "rest"


def test_a_method_that_no_route_takes_is_told_from_a_path_that_none_takes() -> None:
    routes = router(route("r", "/a", methods=("PUT", "GET")), route("s", "/a", methods=("GET",)))
    assert routes.match(b"h", b"/a", b"POST") is None
    assert routes.allowed(b"h", b"/a") == (b"GET", b"PUT")
    assert routes.match(b"h", b"/b", b"POST") is None
    assert routes.allowed(b"h", b"/b") == ()


def test_the_memory_of_past_matches_is_bounded_and_changes_nothing() -> None:
    routes = router(route("a", "/a"), route("long", "/" + "l" * 300))
    for number in range(5000):
        assert routes.match(b"h", b"/a/%d" % number, b"GET") == "a"
        assert routes.match(b"h", b"/b/%d" % number, b"GET") is None
    assert routes.match(b"h", b"/" + b"l" * 300 + b"/x", b"GET") == "long"
    assert len(routes._memo) <= 2048
    assert all(len(host) + len(path) <= 256 for host, path in routes._memo)


def test_paths_that_differ_behind_all_routes_are_remembered_as_one() -> None:
    routes = router(route("all", "/"), route("a", "/a"), route("exact", "/a/12", exact=True))
    for number in range(100):
        assert routes.match(b"h", b"/a/x/%d" % number, b"GET") == "a"
        assert routes.match(b"h", b"/a/12%d" % number, b"GET") == "a"
    assert len(routes._memo) <= 20
    assert routes.match(b"h", b"/a/12", b"GET") == "exact"
    assert routes.match(b"h", b"/a/1", b"GET") == "a"
    assert routes.match(b"h", b"/a12/3", b"GET") == "all"


def test_a_thousand_routes_agree_with_a_plain_search() -> None:
    rng = random.Random(7)  # noqa: S311  (not for secrets)
    hosts = ("", "a.test", "*.test", "b.a.test")
    routes = [
        route(
            f"r{number}",
            "/" + "/".join(rng.choice("abcd") for _ in range(rng.randrange(1, 5))),
            hosts=tuple(h for h in [rng.choice(hosts)] if h),
            exact=rng.random() < 0.3,
            priority=rng.randrange(3),
            methods=("POST",) if rng.random() < 0.3 else (),
        )
        for number in range(1000)
    ]
    table = router(*routes)
    for _ in range(2000):
        host = rng.choice(["a.test", "b.a.test", "x.y.test", "other"])
        path = "/" + "/".join(rng.choice("abcd") for _ in range(rng.randrange(1, 6)))
        method = rng.choice(["GET", "POST"])
        expected = plain_search(routes, host, path, method)
        assert table.match(host.encode(), path.encode(), method.encode()) == expected


def plain_search(routes: list[RouteSpec], host: str, path: str, method: str) -> str | None:
    """The docstring of RouteSpec, word by word."""

    def closeness(spec: RouteSpec) -> int | None:
        if not spec.hosts:
            return 0
        if host in spec.hosts:
            return 1000
        named = [h for h in spec.hosts if h.startswith("*.") and host.endswith(h[1:])]
        return max(map(len, named), default=None)

    def under(spec: RouteSpec) -> bool:
        return path == spec.path or (not spec.exact and path.startswith(spec.path + "/"))

    best = [
        (spec.priority, spec.exact, len(spec.path), close, -place, spec.name)
        for place, spec in enumerate(routes)
        if under(spec)
        and (not spec.methods or method in spec.methods)
        and (close := closeness(spec)) is not None
    ]
    return max(best)[-1] if best else None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"path": "api"}, "/routes/0/path"),
        ({"path": ""}, "/routes/0/path"),
        ({"path": "/a/../b"}, "/routes/0/path"),
        ({"path": "/a?b"}, "/routes/0/path"),
        ({"path": "/é"}, "/routes/0/path"),
        ({"hosts": ("*",)}, "/routes/0/hosts/0"),
        ({"hosts": ("ok.test", "a.*.test")}, "/routes/0/hosts/1"),
        ({"hosts": ("a.test:80",)}, "/routes/0/hosts/0"),
        ({"hosts": ("x" * 64 + "é",)}, "/routes/0/hosts/0"),
        ({"methods": ("get",)}, "/routes/0/methods/0"),
    ],
)
def test_a_route_that_could_never_match_is_refused(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        router(RouteSpec(name="r", upstream="u", **fields))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_handlers_are_listed_in_the_order_of_the_routes() -> None:
    assert router(route("b"), route("a", "/a")).handlers() == ("b", "a")


def test_names_are_unique_and_have_a_handler() -> None:
    with pytest.raises(Invalid) as caught:
        Router([route("a"), route("a"), route("b")], {"a": 1})
    assert [p.pointer for p in caught.value.problems] == ["/routes/1/name", "/routes/2/name"]


def test_an_international_host_is_known_by_its_ascii_name() -> None:
    routes = router(route("a", hosts=("bücher.example",)))
    assert routes.match(b"xn--bcher-kva.example", b"/", b"GET") == "a"
