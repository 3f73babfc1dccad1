"""Which routes anybody may call: those whose rule says so, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.handlers import HTTPRouteHandler

    from plugbay.admin._http import Rule


@dataclass(frozen=True, slots=True)
class PublicRoutes:
    """The exact (method, path) pairs, and of paths with parameters what stands before them."""

    exact: frozenset[tuple[str, str]]
    below: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, app: Litestar) -> PublicRoutes:
        """Those of an application: routes with `rule(None)`."""
        exact: set[tuple[str, str]] = set()
        below: set[tuple[str, str]] = set()
        for route in app.routes:
            for handler in cast("list[HTTPRouteHandler]", getattr(route, "route_handlers", [])):
                rule = cast("Rule | None", handler.opt.get("rule"))
                if rule is None or rule.permission is not None:
                    continue
                fixed, parameter, _ = route.path_format.partition("{")
                for method in handler.http_methods - {"OPTIONS"}:
                    (below if parameter else exact).add((str(method), fixed))
        return cls(frozenset(exact), tuple(sorted(below)))

    def has(self, method: str, path: str) -> bool:
        """Whether this request needs no sign-in. HEAD asks no more than GET."""
        method = "GET" if method == "HEAD" else method
        path = path if path == "/" else path.rstrip("/")
        if (method, path) in self.exact:
            return True
        return any(method == one and path.startswith(prefix) for one, prefix in self.below)
