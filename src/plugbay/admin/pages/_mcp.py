"""MCP servers and federations: how they are, what they have, and forms to change them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery

from plugbay.admin._access import Permission
from plugbay.admin._api._mcp import mcp_federation, mcp_server
from plugbay.admin._changes import tag_of
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._mcp_form import federation_form, plain, server_form
from plugbay.admin.pages._mcp_pins import PINS, pinned
from plugbay.admin.pages._rendering import Pages, Show

if TYPE_CHECKING:
    from plugbay.mcp.serving import EndpointStatus, FederationSpec, ServerSpec
    from plugbay.observability import McpTotals

COLOURS = {
    "running": "active",
    "restarting": "reloading",
    "degraded": "warning",
    "resting": "failed",
}
"""The classes of states that have a colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpRow:
    """One server or one federation."""

    name: str
    kind: str
    """Its part of the API's paths."""
    fixed: bool
    """Only gateway.toml can change it."""
    etag: str
    spec: "ServerSpec | FederationSpec"
    status: "EndpointStatus | None"
    state: str
    colour: str
    why: str
    """What stands in its way, in words."""
    routes: tuple[str, ...]
    paths: tuple[str, ...]
    """Where clients find it."""
    federations: tuple[str, ...]
    """Those that it is a member of."""
    totals: "McpTotals"

    def matches(self, text: str) -> bool:
        """Whether a search for `text` finds it."""
        members = getattr(self.spec, "members", ())
        inside = (place for one in members for place in (one.server, one.url, one.prefix))
        command = getattr(self.spec, "command", "")
        places = (self.name, self.state, command, *self.routes, *inside)
        return any(text in place.lower() for place in places)


class McpPageRoutes(Controller):
    """MCP."""

    path = "/mcp"

    @get("/", opt=rule(Permission.READ))
    async def list(self, request: Ask, pages: Show, q: FromQuery[str] = "") -> Response[str]:
        """Servers and federations, by name."""
        desired = pages.context.services.control.desired
        servers = [mcp_row(request, pages, "servers", one) for one in sorted(desired.mcp_servers)]
        joined = sorted(desired.mcp_federations)
        federations = [mcp_row(request, pages, "federations", one) for one in joined]
        text = q.strip().lower()
        return pages.show(
            request,
            "mcp.html",
            section="mcp",
            q=q,
            servers=[row for row in servers if row.matches(text)],
            federations=[row for row in federations if row.matches(text)],
            every=[*servers, *federations],
            running=sum(row.state == "running" for row in servers),
            total=len(servers),
        )

    @get("/servers/new", opt=rule(Permission.MCP_WRITE))
    async def new_server(self, request: Ask, pages: Show) -> Response[str]:
        """An empty form for a server."""
        return _new(request, pages, "servers")

    @get("/servers/edit/{name:str}", opt=rule(Permission.READ))
    async def server(self, request: Ask, pages: Show, name: FromPath[str]) -> Response[str]:
        """One server."""
        return await _one(request, pages, "servers", name)

    @get("/federations/new", opt=rule(Permission.MCP_WRITE))
    async def new_federation(self, request: Ask, pages: Show) -> Response[str]:
        """An empty form for a federation."""
        return _new(request, pages, "federations")

    @get("/federations/edit/{name:str}", opt=rule(Permission.READ))
    async def federation(self, request: Ask, pages: Show, name: FromPath[str]) -> Response[str]:
        """One federation."""
        return await _one(request, pages, "federations", name)


def mcp_row(request: Ask, pages: Pages, kind: str, name: str) -> McpRow:
    """Gather what there is to say. Raises `NotFound`."""
    services = pages.context.services
    desired = services.control.desired
    view: Any = (mcp_server if kind == "servers" else mcp_federation)(request, pages.context, name)
    routes = tuple(sorted(r.name for r in desired.routes.values() if r.mcp == name))
    member_of = [
        one.name
        for one in desired.mcp_federations.values()
        if kind == "servers" and name in {member.server for member in one.members}
    ]
    state = "unknown" if view.status is None else view.status.state
    return McpRow(
        name=name,
        kind=kind,
        fixed=view.managed_by == "file",
        etag=tag_of(desired, f"mcp_{kind}/{name}") or "",
        spec=view.spec,
        status=view.status,
        state=state,
        colour=COLOURS.get(state, state),
        why=_why(view.status, pages.now),
        routes=routes,
        paths=tuple(desired.routes[one].path for one in routes),
        federations=tuple(sorted(member_of)),
        totals=services.figures.mcp(routes),
    )


def _why(status: "EndpointStatus | None", now: float) -> str:
    if status is None:
        return "it has just been added, or its process is not there: more in a moment"
    if status.state == "degraded":
        return "; ".join(f"{name} is down: {why}" for name, why in sorted(status.down.items()))
    if status.state not in ("restarting", "resting"):
        return ""
    soon = f"tried again in {max(0, round(status.retry_at - now))} s" if status.retry_at else ""
    often = "it has crashed too often" if status.state == "resting" else ""
    return "; ".join(filter(None, (status.error, often, soon)))


def _new(request: Ask, pages: Pages, kind: str) -> Response[str]:
    fields = server_form(None) if kind == "servers" else federation_form(None)
    return _form(request, pages, kind, row=None, fields=fields, config={}, pins=None)


async def _one(request: Ask, pages: Pages, kind: str, name: str) -> Response[str]:
    row = mcp_row(request, pages, kind, name)
    form: Any = server_form if kind == "servers" else federation_form
    fields, pins = form(row.spec), await pinned(pages, row.routes)
    return _form(request, pages, kind, row=row, fields=fields, config=plain(row.spec), pins=pins)


def _form(request: Ask, pages: Pages, kind: str, **values: Any) -> Response[str]:
    word = "MCP server" if kind == "servers" else "federation"
    return pages.show(
        request, "mcp_one.html", section="mcp", kind=kind, word=word, plugin=PINS, **values
    )
