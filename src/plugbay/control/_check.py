"""Whether a desired state is sound as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway import route_problems
from plugbay.kernel import (
    DependencyGraph,
    Invalid,
    OrderItem,
    Problem,
    order_plugins,
    pointer_token,
)
from plugbay.mcp.serving import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugbay.control._messages import Facts
    from plugbay.control._model import Desired


def check(desired: Desired, facts: Mapping[str, Facts]) -> None:
    """Raise `DependencyProblem`, or `Invalid` with everything else that is wrong."""
    manifests = [facts[spec.digest].manifest for spec in desired.enabled().values()]
    DependencyGraph(manifests).check()
    order_plugins(OrderItem(manifest.id, manifest.order) for manifest in manifests)
    problems = (
        *_routes(desired, facts),
        *_plugins(desired),
        *problems_of(desired.mcp, tuple(desired.upstreams), by_name=True),
    )
    if problems:
        raise Invalid(
            "; ".join(f"{problem.pointer[1:]} {problem.detail}" for problem in problems),
            problems=problems,
        )


def _routes(desired: Desired, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    upstreams = {*desired.upstreams}
    mcp = {*upstreams, *desired.mcp.names}
    for name, route in desired.routes.items():
        at = f"/routes/{pointer_token(name)}"
        yield from route_problems(route, at)
        upstream, there = (route.mcp, mcp) if route.mcp else (route.upstream, upstreams)
        if len(route.leads) != 1:
            yield Problem(at, "names several or none", expected="one of upstream, plugin and mcp")
        elif upstream and upstream not in there:
            known = ", ".join(sorted(there)) or "none is there"
            key = "upstream" if route.upstream else "mcp"
            yield Problem(f"{at}/{key}", "does not exist", expected=known, found=upstream)
        elif route.plugin and route.plugin not in desired.plugins:
            yield Problem(f"{at}/plugin", "does not exist", found=route.plugin)
        elif route.plugin:
            provides = facts[desired.plugins[route.plugin].digest].manifest.provides
            if "asgi-app" not in provides:
                found = ", ".join(provides)
                yield Problem(f"{at}/plugin", "cannot be mounted", "asgi-app", found)


def _plugins(desired: Desired) -> Iterator[Problem]:
    for id, spec in desired.plugins.items():
        for route in spec.routes:
            if route not in desired.routes:
                yield Problem(f"/plugins/{id}/routes", f"names no route: {route}", found=route)
