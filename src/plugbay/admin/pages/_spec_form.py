"""Forms for routes and upstreams, from the types that the API takes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import msgspec

from plugbay.admin._spare import spare
from plugbay.admin.pages._schema_form import Field, form_of
from plugbay.gateway import RouteSpec, UpstreamSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HINTS = {
    "upstream": "where it leads; or to the app of a plugin, or to an MCP server: one of the three",
    "plugin": "the plugin whose app answers",
    "mcp": "the MCP server or federation, or an upstream that is one",
    "hosts": "names, or *.example.com; none: any",
    "path": "what paths begin with, at a border of segments",
    "methods": "none: any",
    "exact": "only this very path, and nothing under it",
    "priority": "of several routes that fit, the highest wins",
    "strip_prefix": "send the path without what this route matched",
    "preserve_host": "send the client's Host, and not the target's",
    "total_timeout": "seconds; 0: none",
    "max_body": "bytes; 0: the listener's limit",
    "escaped_slashes": "what becomes of a path with %2F",
    "merge_slashes": "send // as /",
    "hash_on": "for consistent-hash: client, path, or header:<name>",
    "connect_timeout": "seconds",
    "response_timeout": "seconds, from the request's end to the response's head",
    "idle_timeout": "seconds, between any two bytes",
    "keepalive": "seconds that a spare connection is kept",
    "max_spare": "spare connections that are kept",
}
"""What people should know of a field."""


def route_form(
    route: RouteSpec | None, upstreams: Iterable[str], servers: Iterable[str] = ()
) -> tuple[Field, ...]:
    """The fields of a route; of one that is there without its name, which never changes.
    `servers` are the MCP servers and federations that the gateway runs."""
    schema = msgspec.json.schema(RouteSpec)
    known = {*upstreams, *(route.leads if route is not None else ())}
    properties = properties_of(schema, "RouteSpec")
    names = {"upstream": sorted(known - {*servers}), "mcp": sorted(known | {*servers})}
    properties |= {key: {"enum": found} for key, found in names.items() if found}
    return fields_of(schema, properties, route, HINTS)


def upstream_form(upstream: UpstreamSpec | None) -> tuple[Field, ...]:
    """The fields of an upstream; its targets are lines."""
    schema = msgspec.json.schema(UpstreamSpec)
    fields = fields_of(schema, properties_of(schema, "UpstreamSpec"), upstream, HINTS)
    targets = () if upstream is None else upstream.targets
    return tuple(
        _targets(field, targets) if field.label == "targets" else field for field in fields
    )


def fields_of(
    schema: dict[str, Any], properties: dict[str, Any], value: Any, hints: Mapping[str, str]
) -> tuple[Field, ...]:
    """The fields of a specification; of one that is there without its name."""
    for name in hints.keys() & properties.keys():
        properties[name]["description"] = hints[name]
    if value is not None:
        del properties["name"]
    return form_of(schema, {} if value is None else spare(value))


def properties_of(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The properties of one type in a schema."""
    return cast("dict[str, Any]", schema["$defs"][name]["properties"])


def _targets(field: Field, targets: Iterable[Any]) -> Field:
    lines = [one.address if one.weight == 1 else f"{one.address} {one.weight}" for one in targets]
    hint = "host:port, one on each line; a number behind it is its weight"
    return dataclasses.replace(field, kind="targets", value="\n".join(lines), hint=hint)
