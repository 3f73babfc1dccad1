"""What `export_postman` writes into a collection's variables, so that nothing gets lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from plugbay.control.interchange._calls import Call, Imported, Remark
from plugbay.control.interchange._json import tables, text
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import Invalid, convert

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", RouteSpec, UpstreamSpec)
ROUTE, UPSTREAM = "plugbay.route.", "plugbay.upstream."


class Kept:
    """Whole routes and upstreams, by name. A route counts if its folder is still there."""

    def __init__(
        self, routes: Mapping[str, RouteSpec], upstreams: Mapping[str, UpstreamSpec]
    ) -> None:
        self._routes, self._upstreams = routes, upstreams
        self._seen: dict[str, RouteSpec] = {}
        self._inside: RouteSpec | None = None

    @classmethod
    def of(cls, collection: Mapping[str, Any]) -> Kept:
        """Read a collection's variables. Raises `Invalid` if they were damaged."""
        pairs = [
            (text(one.get("key")), text(one.get("value")))
            for one in tables(collection.get("variable"))
        ]
        return cls(_read(pairs, ROUTE, RouteSpec), _read(pairs, UPSTREAM, UpstreamSpec))

    def enter(self, name: str) -> bool:
        """Whether a folder is that of a route; then its requests are what follows."""
        self._inside = self._routes.get(name)
        if self._inside is not None:
            self._seen[name] = self._inside
        return self._inside is not None

    def leave(self) -> None:
        """The folder has ended."""
        self._inside = None

    def covers(self, call: Call) -> bool:
        """Whether the folder's route takes the call: it is only an example of it."""
        route = self._inside
        if route is None or (route.methods and call.method.upper() not in route.methods):
            return False
        path = "/" + "/".join("*" if part is None else part for part in call.path)
        prefix = route.path.rstrip("/")
        return path == route.path or (not route.exact and path.startswith(f"{prefix}/"))

    def restored(self, found: Imported) -> Imported:
        """Return what was found with what was kept."""
        routes = {route.name: route for route in found.routes} | self._seen
        upstreams = {one.name: one for one in found.upstreams} | dict(self._upstreams)
        gone = [
            Remark(name, "not imported: its folder was removed from the collection")
            for name in self._routes
            if name not in self._seen
        ]
        return Imported(
            tuple(routes[name] for name in sorted(routes)),
            tuple(upstreams[name] for name in sorted(upstreams)),
            (*found.remarks, *gone),
        )


def _read(pairs: list[tuple[str, str]], prefix: str, kind: type[T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for key, value in pairs:
        if key.startswith(prefix):
            try:
                spec = convert(json.loads(value), kind, what=key)
            except (ValueError, RecursionError) as error:
                raise Invalid(f"the collection's variable {key} is damaged: {error}") from error
            found[spec.name] = spec
    return found
