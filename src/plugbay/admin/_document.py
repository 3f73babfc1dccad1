"""A declarative document of desired state: what differs from it, and the changes that make it so.

It has the shape of the routes, upstreams, plugins and MCP servers in `gateway.toml`.
"""

# No postponed annotations here: msgspec reads them, so they must be real.

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from plugbay.admin._document_mcp import mcp_problems
from plugbay.admin._document_places import refused
from plugbay.admin._mcp_secrets import hide_federation, hide_server
from plugbay.admin._schema import check_config
from plugbay.control import (
    Batch,
    DeleteMcpFederation,
    DeleteMcpServer,
    DeleteRoute,
    DeleteUpstream,
    Disable,
    Enable,
    PutMcpFederation,
    PutMcpServer,
    PutRoute,
    PutUpstream,
    Remove,
    RuntimeChoice,
)
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import Difference, Invalid, PlugbayError, Problem, diff
from plugbay.mcp.serving import FederationSpec, McpSpec, ServerSpec

if TYPE_CHECKING:
    from plugbay.admin._document_mcp import Here
    from plugbay.admin._services import Artifacts, Control
    from plugbay.control import Desired

Single: TypeAlias = (
    PutUpstream
    | PutMcpServer
    | PutMcpFederation
    | PutRoute
    | Enable
    | Disable
    | Remove
    | DeleteRoute
    | DeleteMcpFederation
    | DeleteMcpServer
    | DeleteUpstream
)
OnError = Literal["open", "closed", "default"]
Kind = Literal["plugins", "routes", "mcp_federations", "mcp_servers", "upstreams"]
_REMOVALS: tuple[Kind, ...] = ("plugins", "routes", "mcp_federations", "mcp_servers", "upstreams")
"""Each before what it may name."""


class PluginEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it shall be."""

    id: str
    version: str
    enabled: bool = True
    config: dict[str, Any] = {}
    routes: tuple[str, ...] = ()
    on_error: OnError = "default"
    drain: float = 60.0
    watch: float = 30.0
    runtime: RuntimeChoice = "default"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Desired state. With `prune`, what the API manages and is not named here is removed; MCP
    servers and federations only if there is `mcp`."""

    plugins: tuple[PluginEntry, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    upstreams: tuple[UpstreamSpec, ...] = ()
    mcp: McpSpec | None = None
    prune: bool = False

    def names(self) -> dict[str, list[str]]:
        """Return what stands in it, in its order, by the pointer to its list."""
        mcp = self.mcp or McpSpec()
        return {
            "/routes/": [one.name for one in self.routes],
            "/upstreams/": [one.name for one in self.upstreams],
            "/plugins/": [one.id for one in self.plugins],
            "/mcp/servers/": [one.name for one in mcp.servers],
            "/mcp/federations/": [one.name for one in mcp.federations],
        }


class PlanStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is to change."""

    op: Literal["add", "replace", "remove"]
    kind: Kind
    name: str
    differences: tuple[Difference, ...] = ()


class Planner:
    """Compares a document with the desired state.

    `secrets`: whether the steps may tell what may be secret in MCP servers; if not, these values
    are not compared either. `here` tells what of the MCP servers cannot run on this machine.
    """

    def __init__(
        self,
        desired: "Desired",
        artifacts: "Artifacts",
        document: Document,
        *,
        secrets: bool = True,
        here: "Here" = lambda spec, known: (),
    ) -> None:
        self._desired, self._artifacts, self._document = desired, artifacts, document
        self._secrets, self._here = secrets, here
        self.steps: list[PlanStep] = []
        self.changes: list[Single] = []
        self._problems: list[Problem] = []

    @property
    def changes_mcp(self) -> bool:
        """Whether it changes what MCP servers or federations there are."""
        return any(step.kind in ("mcp_servers", "mcp_federations") for step in self.steps)

    def run(self) -> None:
        """Fill `steps` and `changes`. Raises `Invalid` with everything that is wrong."""
        for upstream in self._document.upstreams:
            old = self._desired.upstreams.get(upstream.name)
            if self._differs("upstreams", upstream.name, old, upstream):
                self.changes.append(PutUpstream(upstream=upstream))
        self._mcp()
        for route in self._document.routes:
            if self._differs("routes", route.name, self._desired.routes.get(route.name), route):
                self.changes.append(PutRoute(route=route))
        for index, wish in enumerate(self._document.plugins):
            self._plugin(index, wish)
        for kind, name in self._unnamed() if self._document.prune else ():
            self.steps.append(PlanStep(op="remove", kind=kind, name=name))
            self.changes.append(_removal(kind, name))
        if self._document.mcp is not None:
            wanted = self._document.mcp
            self._problems += mcp_problems(self._desired, wanted, self.changes, self._here)
        if self._problems:
            raise refused(self._problems, self._document.names())

    async def check(self, control: "Control", actor: str) -> None:
        """See that the changes could be made, as far as it is known without making them. Raises
        what `Control.check` does, with pointers into the document."""
        if self.changes:
            try:
                await control.check(Batch(changes=tuple(self.changes)), actor=actor)
            except Invalid as error:
                if not error.problems:
                    raise
                raise refused(error.problems, self._document.names()) from None

    def _mcp(self) -> None:
        """Servers before the federations that name them."""
        wanted, desired = self._document.mcp or McpSpec(), self._desired
        for server in wanted.servers:
            known = desired.mcp_servers.get(server.name)
            if self._differs("mcp_servers", server.name, known, server):
                self.changes.append(PutMcpServer(server=server))
        for federation in wanted.federations:
            old = desired.mcp_federations.get(federation.name)
            if self._differs("mcp_federations", federation.name, old, federation):
                self.changes.append(PutMcpFederation(federation=federation))

    def _plugin(self, index: int, wish: PluginEntry) -> None:
        at = f"/plugins/{index}"
        try:
            artifact = self._artifacts.find(wish.id, wish.version)
            check_config(artifact.config_schema, wish.config)
        except PlugbayError as error:
            stored = [one.version for one in self._artifacts.versions(wish.id)]
            self._problems += _under(at, wish, stored, error)
            return
        spec = self._desired.plugins.get(wish.id)
        old = None
        if spec is not None:
            old = PluginEntry(**{name: getattr(spec, name) for name in wish.__struct_fields__})
        if not self._differs("plugins", wish.id, old, wish):
            return
        enable = Enable(
            plugin=wish.id,
            digest=artifact.digest,
            config=wish.config,
            routes=wish.routes,
            on_error=wish.on_error,
            drain=wish.drain,
            watch=wish.watch,
            runtime=wish.runtime,
        )
        self.changes.append(enable)
        if not wish.enabled:
            self.changes.append(Disable(plugin=wish.id))

    def _differs(self, kind: Kind, name: str, old: object | None, new: object) -> bool:
        if old is None:
            self.steps.append(PlanStep(op="add", kind=kind, name=name))
        elif found := diff(self._plain(old), self._plain(new)):
            self.steps.append(PlanStep(op="replace", kind=kind, name=name, differences=found))
        else:
            return False
        if self._desired.origins.get(f"{kind}/{name}") == "file":
            remedy = "change it in gateway.toml"
            where = f"/{kind.replace('mcp_', 'mcp/')}/{name}"
            self._problems.append(Problem(where, "is managed by a file", "", "", remedy))
        return True

    def _plain(self, value: object) -> Any:
        """As JSON has it: with lists and no tuples, which `diff` would take for single values."""
        if not self._secrets and isinstance(value, ServerSpec):
            value = hide_server(value)
        if not self._secrets and isinstance(value, FederationSpec):
            value = hide_federation(value)
        return msgspec.json.decode(msgspec.json.encode(value))

    def _unnamed(self) -> Iterator[tuple[Kind, str]]:
        document, desired = self._document, self._desired
        mcp = desired.mcp if document.mcp is None else document.mcp
        named: dict[Kind, set[str]] = {
            "plugins": {wish.id for wish in document.plugins},
            "routes": {route.name for route in document.routes},
            "mcp_federations": {federation.name for federation in mcp.federations},
            "mcp_servers": {server.name for server in mcp.servers},
            "upstreams": {upstream.name for upstream in document.upstreams},
        }
        for kind in _REMOVALS:
            for name in sorted(getattr(desired, kind)):
                if name not in named[kind] and desired.origins.get(f"{kind}/{name}") != "file":
                    yield kind, name


def _removal(kind: Kind, name: str) -> Single:
    match kind:
        case "plugins":
            return Remove(plugin=name, force=True)
        case "routes":
            return DeleteRoute(name=name)
        case "mcp_federations":
            return DeleteMcpFederation(name=name)
        case "mcp_servers":
            return DeleteMcpServer(name=name)
        case "upstreams":
            return DeleteUpstream(name=name)


def _under(at: str, wish: PluginEntry, stored: list[str], error: PlugbayError) -> list[Problem]:
    if not error.problems:
        expected = ", ".join(stored) or "none is stored"
        remedy = f"upload it: plugbay plugin push {wish.id}"
        return [Problem(f"{at}/version", error.detail, expected, wish.version, remedy)]
    return [
        Problem(f"{at}/config{one.pointer}", one.detail, one.expected, one.found, one.remedy)
        for one in error.problems
    ]
