"""The document of what there is: planned, it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from plugbay.admin._document import PluginEntry
from plugbay.admin._spare import spare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.control import Desired, PluginSpec


def document_of(desired: Desired) -> dict[str, Any]:
    """Return all that no file manages, without what goes without saying."""
    mcp = {
        "servers": _specs(desired, "mcp_servers", desired.mcp_servers),
        "federations": _specs(desired, "mcp_federations", desired.mcp_federations),
    }
    found: dict[str, Any] = {
        "upstreams": _specs(desired, "upstreams", desired.upstreams),
        "mcp": {kind: specs for kind, specs in mcp.items() if specs},
        "routes": _specs(desired, "routes", desired.routes),
        "plugins": [
            _plugin(spec)
            for id, spec in sorted(desired.plugins.items())
            if desired.origins.get(f"plugins/{id}") != "file"
        ],
    }
    return {kind: said for kind, said in found.items() if said}


def _specs(desired: Desired, kind: str, specs: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = (name for name in sorted(specs) if desired.origins.get(f"{kind}/{name}") != "file")
    return [spare(specs[name]) for name in own]


def _plugin(spec: PluginSpec) -> dict[str, Any]:
    plain = PluginEntry(id=spec.id, version=spec.version)
    found: dict[str, Any] = {"id": spec.id, "version": spec.version}
    for name in PluginEntry.__struct_fields__:
        if getattr(spec, name) != getattr(plain, name):
            found[name] = msgspec.to_builtins(getattr(spec, name))
    return found
