"""What an operator can ask for, as plain values: they are stored with their operation."""

# No postponed annotations here: msgspec reads them, so they must be real.

from typing import Any, Literal

import msgspec

from plugbay.control._model import PluginSpec, RuntimeChoice
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.mcp.serving import FederationSpec, McpSpec, ServerSpec

OnError = Literal["open", "closed", "default"]


class Asked(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True, omit_defaults=True):
    """A change of the desired state."""


class Enable(Asked, frozen=True, tag="enable"):
    """Run a plugin; what is None stays as it was. Needs a digest the first time."""

    plugin: str
    digest: str = ""
    config: dict[str, Any] | None = None
    comment: str = ""
    routes: tuple[str, ...] | None = None
    on_error: OnError | None = None
    drain: float | None = None
    watch: float | None = None
    runtime: RuntimeChoice | None = None


class Swap(Asked, frozen=True, tag="swap"):
    """Run another version of a plugin, with its configuration or another one."""

    plugin: str
    digest: str
    config: dict[str, Any] | None = None
    comment: str = ""


class Configure(Asked, frozen=True, tag="configure"):
    """Give a plugin another configuration."""

    plugin: str
    config: dict[str, Any]
    comment: str = ""


class Disable(Asked, frozen=True, tag="disable"):
    """Stop a plugin. Refused while enabled plugins need it, unless by `force`: they go too."""

    plugin: str
    force: bool = False


class Reload(Asked, frozen=True, tag="reload"):
    """Start a fresh generation of the same artifact and configuration; ends a quarantine."""

    plugin: str


class Rollback(Asked, frozen=True, tag="rollback"):
    """Go back to what the plugin was before its last change: artifact and configuration.

    With `config_version`, only the configuration goes back, to that version. `cause` is the
    operation that is undone, if nobody asked but its watch window ended badly.
    """

    plugin: str
    config_version: int | None = None
    comment: str = ""
    cause: str = ""


class Remove(Asked, frozen=True, tag="remove"):
    """Stop a plugin and forget its slot; its configuration's history stays."""

    plugin: str
    force: bool = False


class Pin(Asked, frozen=True, tag="pin"):
    """Hold a plugin at its version: no change and no automatic rollback moves it to another."""

    plugin: str
    why: str = ""


class Unpin(Asked, frozen=True, tag="unpin"):
    """Let a plugin move again."""

    plugin: str


class PutRoute(Asked, frozen=True, tag="put-route"):
    """Add or replace a route."""

    route: RouteSpec


class DeleteRoute(Asked, frozen=True, tag="delete-route"):
    """Delete a route."""

    name: str


class PutUpstream(Asked, frozen=True, tag="put-upstream"):
    """Add or replace an upstream."""

    upstream: UpstreamSpec


class DeleteUpstream(Asked, frozen=True, tag="delete-upstream"):
    """Delete an upstream. Refused while routes use it."""

    name: str


class PutMcpServer(Asked, frozen=True, tag="put-mcp-server"):
    """Add or replace an MCP server that the gateway runs. Sessions that are there go on with
    what they began with."""

    server: ServerSpec


class DeleteMcpServer(Asked, frozen=True, tag="delete-mcp-server"):
    """Delete an MCP server. Refused while routes or federations use it; with `routes`, those that
    lead to it go with it."""

    name: str
    routes: bool = False


class PutMcpFederation(Asked, frozen=True, tag="put-mcp-federation"):
    """Add or replace a federation of MCP servers."""

    federation: FederationSpec


class DeleteMcpFederation(Asked, frozen=True, tag="delete-mcp-federation"):
    """Delete a federation. Refused while routes use it; with `routes`, they go with it."""

    name: str
    routes: bool = False


class FileSet(Asked, frozen=True, tag="file-set"):
    """All that `gateway.toml` manages. What it managed before and does not name is removed."""

    plugins: tuple[PluginSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    upstreams: tuple[UpstreamSpec, ...] = ()
    mcp: McpSpec = McpSpec()


Single = (
    Enable
    | Swap
    | Configure
    | Disable
    | Reload
    | Rollback
    | Remove
    | Pin
    | Unpin
    | PutRoute
    | DeleteRoute
    | PutUpstream
    | DeleteUpstream
    | PutMcpServer
    | DeleteMcpServer
    | PutMcpFederation
    | DeleteMcpFederation
    | FileSet
)


class Batch(Asked, frozen=True, tag="batch"):
    """Several changes as one: all of them, or none."""

    changes: tuple[Single, ...]


Change = Single | Batch


def digests_of(change: Change) -> set[str]:
    """Return the artifacts that a change names."""
    if isinstance(change, Batch):
        return {digest for single in change.changes for digest in digests_of(single)}
    if isinstance(change, FileSet):
        return {item.digest for item in change.plugins}
    digest = change.digest if isinstance(change, (Enable, Swap)) else ""
    return {digest} if digest else set()


def keys_of(change: Change) -> tuple[str, ...]:
    """Name what a change is about, for the check of entity tags."""
    if isinstance(change, (Batch, FileSet)):
        return ()
    match change:
        case PutRoute(route=RouteSpec(name=name)) | DeleteRoute(name=name):
            return (f"routes/{name}",)
        case PutUpstream(upstream=UpstreamSpec(name=name)) | DeleteUpstream(name=name):
            return (f"upstreams/{name}",)
        case PutMcpServer(server=ServerSpec(name=name)) | DeleteMcpServer(name=name):
            return (f"mcp_servers/{name}",)
        case (
            PutMcpFederation(federation=FederationSpec(name=name)) | DeleteMcpFederation(name=name)
        ):
            return (f"mcp_federations/{name}",)
        case _:
            return (f"plugins/{change.plugin}",)
