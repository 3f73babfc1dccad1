"""What may be a secret in MCP servers and federations, for those who may not change them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.mcp.serving import FederationSpec, McpSpec, ServerSpec

HIDDEN = "[redacted]"


def hide_server(spec: ServerSpec) -> ServerSpec:
    """Return it without the values of its environment that are no references."""
    return replace(spec, env=_hidden(spec.env))


def hide_federation(spec: FederationSpec) -> FederationSpec:
    """Return it without the values of its members' headers that are no references."""
    members = (replace(one, headers=_hidden(one.headers)) for one in spec.members)
    return replace(spec, members=tuple(members))


def hides(mcp: McpSpec) -> bool:
    """Whether any of them has what would be hidden."""
    return any(hide_server(one) != one for one in mcp.servers) or any(
        hide_federation(one) != one for one in mcp.federations
    )


def _hidden(values: dict[str, str]) -> dict[str, str]:
    """A value may be a secret, unless it is a reference to one."""
    return {
        name: value if value.startswith("${") and value.find("}") == len(value) - 1 else HIDDEN
        for name, value in values.items()
    }
