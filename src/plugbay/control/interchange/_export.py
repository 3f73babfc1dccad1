"""Routes as a Postman collection, format 2.1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from plugbay.control.interchange._kept import ROUTE, UPSTREAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plugbay.gateway import RouteSpec, UpstreamSpec

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
BASE = "baseUrl"


def export_postman(
    routes: Iterable[RouteSpec],
    upstreams: Iterable[UpstreamSpec],
    *,
    base_url: str,
    name: str = "Plugbay",
) -> dict[str, Any]:
    """Return a collection with a folder for each route and a request for each of its methods.

    The requests go to the gateway at `base_url`. The variables of the collection hold the whole
    routes and upstreams: a request cannot say all of a route.
    """
    by_name = sorted(routes, key=lambda route: route.name)
    named = sorted(upstreams, key=lambda upstream: upstream.name)
    variables = [{"key": BASE, "value": base_url.rstrip("/"), "type": "string"}]
    variables += [_variable(f"{ROUTE}{route.name}", route) for route in by_name]
    variables += [_variable(f"{UPSTREAM}{one.name}", one) for one in named]
    return {
        "info": {
            "_postman_id": str(uuid5(NAMESPACE_URL, f"plugbay:collection:{name}")),
            "name": name,
            "description": "The routes of a Plugbay gateway.",
            "schema": SCHEMA,
        },
        "item": [_folder(route) for route in by_name],
        "variable": variables,
    }


def _variable(key: str, value: object) -> dict[str, str]:
    return {"key": key, "value": msgspec.json.encode(value).decode(), "type": "string"}


def _folder(route: RouteSpec) -> dict[str, Any]:
    to = route.upstream or route.plugin or route.mcp
    under = "" if route.exact else " and everything under it"
    return {
        "name": route.name,
        "description": f"{route.path}{under}, to {to}.",
        "item": [_request(route, method) for method in route.methods or ("GET",)],
    }


def _request(route: RouteSpec, method: str) -> dict[str, Any]:
    segments: Sequence[str] = route.path.split("/")[1:]
    named = [host for host in route.hosts if not host.startswith("*.")]
    return {
        "name": f"{method} {route.path}",
        "request": {
            "method": method,
            "header": [{"key": "Host", "value": named[0]}] if named else [],
            "url": {
                "raw": f"{{{{{BASE}}}}}{route.path}",
                "host": [f"{{{{{BASE}}}}}"],
                "path": [*segments],
            },
        },
        "response": [],
    }
