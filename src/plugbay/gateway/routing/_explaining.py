"""Why a request takes one route and not another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.gateway.message._hosts import host_name, host_pattern, wildcards_above
from plugbay.gateway.message._paths import normal_target
from plugbay.gateway.routing._routes import Router
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway._spec import RouteSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One route and why it was, or was not, the one."""

    route: str
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """The route that wins, if any, and every route's reason."""

    route: str | None
    allowed: tuple[str, ...]
    considered: tuple[Considered, ...]


def explain_route(
    routes: Sequence[RouteSpec], host: bytes, path: bytes, method: bytes
) -> RouteMatch:
    """Say which of the routes takes such a request, and why the others do not.

    `host` is a Host field's value, `path` any spelling of a path. Raises `Invalid` for a path
    that is refused, and as `Router` does.
    """
    normal = normal_target(path)
    if normal is None:
        raise Invalid(
            f"path {path.decode('latin-1')!r} is refused (400), unless its route takes it as it is"
        )
    path = normal
    router = Router(routes, {route.name: route for route in routes})
    winner = router.match(host, path, method)
    matching = {entry.route.name for entry in router.entries(host, path)}
    return RouteMatch(
        route=winner.name if winner else None,
        allowed=tuple(name.decode() for name in router.allowed(host, path)),
        considered=tuple(
            Considered(
                route=route.name,
                chosen=route is winner,
                why=_reason(route, winner, host, path, method, matching),
            )
            for route in routes
        ),
    )


def _reason(
    route: RouteSpec,
    winner: RouteSpec | None,
    host: bytes,
    path: bytes,
    method: bytes,
    matching: set[str],
) -> str:
    if route.name not in matching:
        here = host_name(host).decode("latin-1")
        hosts = [host_pattern(pattern) for pattern in route.hosts]
        name = host_name(host)
        suffixes = {b"*" + suffix for suffix in wildcards_above(name)}
        if hosts and name not in hosts and suffixes.isdisjoint(hosts):
            return f"host {here!r} is none of {', '.join(route.hosts)}"
        how = "equal" if route.exact else "lie under"
        return f"path {path.decode('latin-1')!r} does not {how} {route.path!r}"
    if route.methods and method.decode("latin-1") not in route.methods:
        return f"method {method.decode('latin-1')} is none of {', '.join(route.methods)}"
    if winner is None or winner is route:
        return "the best match"
    return _beaten(route, winner)


def _beaten(route: RouteSpec, winner: RouteSpec) -> str:
    if winner.priority != route.priority:
        return f"{winner.name!r} has the higher priority, {winner.priority}"
    if winner.exact != route.exact:
        return f"{winner.name!r} is exact"
    if len(winner.path) != len(route.path):
        return f"{winner.name!r} has the longer path"
    if winner.hosts != route.hosts:
        return f"{winner.name!r} names the host more closely, or comes first"
    return f"{winner.name!r} comes first"
