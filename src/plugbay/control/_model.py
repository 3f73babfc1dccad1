"""Desired state: all that the workers need, as one immutable document with a revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

# Not only for type checkers: msgspec resolves these annotations when it decodes a revision.
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.mcp.serving import FederationSpec, McpSpec, ServerSpec

if TYPE_CHECKING:
    from plugbay.sdk import Manifest

Origin = Literal["api", "file"]
RuntimeChoice = Literal["default", "in-process", "process"]
"""Where a wheel runs: in the workers or in processes of its own; by default as it says itself."""
Instance = tuple[str, int, int]
"""Digest, config version and count of reloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """Who holds a plugin at its version, since when (seconds since the Unix epoch), and why."""

    by: str
    at: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSpec:
    """What an operator asked of one slot.

    `routes` are the names of the routes it runs on; empty: all. `on_error` overrides the
    manifest, and so does `runtime` where the plugin runs. `drain` is the deadline for requests
    inside the old generation, `watch` how long a new one is on probation; both in seconds.
    """

    id: str
    version: str
    digest: str
    enabled: bool = True
    config_version: int = 1
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    reloads: int = 0
    """How often a fresh generation of the same artifact and config was wanted: asked for by an
    operator, or because it is to run by another runtime."""
    routes: tuple[str, ...] = ()
    on_error: Literal["open", "closed", "default"] = "default"
    drain: float = 60.0
    watch: float = 30.0
    pin: Pinned | None = None
    """Whoever holds it at this version."""
    runtime: RuntimeChoice = "default"

    def runtime_of(self, manifest: Manifest) -> str:
        """Return the runtime that is to hold it: the operator's choice, else the manifest's."""
        chosen = {"in-process": "python", "process": "process"}
        return chosen.get(self.runtime, manifest.runtime)

    @property
    def instance(self) -> Instance:
        """What a generation is made of: another value needs another generation."""
        return self.digest, self.config_version, self.reloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The whole desired state. Each change makes the next revision; none is ever edited."""

    revision: int = 0
    plugins: dict[str, PluginSpec] = field(default_factory=dict[str, PluginSpec])
    routes: dict[str, RouteSpec] = field(default_factory=dict[str, RouteSpec])
    upstreams: dict[str, UpstreamSpec] = field(default_factory=dict[str, UpstreamSpec])
    mcp_servers: dict[str, ServerSpec] = field(default_factory=dict[str, ServerSpec])
    mcp_federations: dict[str, FederationSpec] = field(default_factory=dict[str, FederationSpec])
    origins: dict[str, Origin] = field(default_factory=dict[str, Origin])
    """Who manages `routes/<name>`, `plugins/<id>` and the like; what a file manages, the API
    refuses to change."""
    changed: dict[str, int] = field(default_factory=dict[str, int])
    """The revision at which each of these was last changed: its entity tag."""

    def enabled(self) -> dict[str, PluginSpec]:
        """The plugins that are to run."""
        return {id: spec for id, spec in self.plugins.items() if spec.enabled}

    @property
    def mcp(self) -> McpSpec:
        """The MCP servers and federations that are to be there."""
        servers = tuple(self.mcp_servers.values())
        return McpSpec(servers=servers, federations=tuple(self.mcp_federations.values()))
