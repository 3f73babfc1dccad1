"""MCP servers that the gateway runs, and federations of several."""

from dataclasses import replace

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery

from plugbay.admin._access import Permission
from plugbay.admin._changes import changing, make_change, same_name
from plugbay.admin._document_mcp import refuse_what_cannot_run
from plugbay.admin._http import Ask, Use, principal, read_body, rule
from plugbay.admin._mcp_secrets import hide_federation, hide_server
from plugbay.admin._views import OperationView
from plugbay.control import (
    DeleteMcpFederation,
    DeleteMcpServer,
    Origin,
    PutMcpFederation,
    PutMcpServer,
)
from plugbay.kernel import NotFound
from plugbay.mcp.serving import EndpointStatus, FederationSpec, ServerSpec


class McpServerView(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server. `managed_by` is `file` if only gateway.toml can change it; `status` is null
    while the process that runs it has not spoken. Values of `env` that are no references, and
    what it wrote to standard error, are shown to those who may change it."""

    name: str
    managed_by: Origin
    revision: int
    spec: ServerSpec
    status: EndpointStatus | None


class McpFederationView(msgspec.Struct, frozen=True, kw_only=True):
    """Several MCP servers as one. `managed_by`, `status` and what is hidden (of `headers`) as of
    a server."""

    name: str
    managed_by: Origin
    revision: int
    spec: FederationSpec
    status: EndpointStatus | None


class McpServerList(msgspec.Struct, frozen=True):
    """All MCP servers."""

    items: list[McpServerView]


class McpFederationList(msgspec.Struct, frozen=True):
    """All federations."""

    items: list[McpFederationView]


class McpServerRoutes(Controller):
    """MCP servers that the gateway runs."""

    path = "/mcp/servers"
    tags = ("mcp",)

    @get("/", opt=rule(Permission.READ), operation_id="listMcpServers")
    async def list(self, request: Ask, context: Use) -> McpServerList:
        """All MCP servers, by name, and how they are."""
        names = sorted(context.services.control.desired.mcp_servers)
        return McpServerList([mcp_server(request, context, name) for name in names])

    @get("/{name:str}", opt=rule(Permission.READ), operation_id="getMcpServer")
    async def one(self, request: Ask, context: Use, name: FromPath[str]) -> Response[McpServerView]:
        """One MCP server."""
        view = mcp_server(request, context, name)
        return Response(view, headers={"etag": f'"{view.revision}"'})

    @changing(put, "/{name:str}", Permission.MCP_WRITE, "putMcpServer", body=ServerSpec)
    async def put(self, request: Ask, context: Use, name: FromPath[str]) -> Response[OperationView]:
        """Add an MCP server, or replace it: then If-Match is required. Sessions go on with what
        they began with, new ones use the new."""
        limit = context.options.max_body
        server = await read_body(request, ServerSpec, limit=limit, what="server")
        same_name(name, server.name)
        services = context.services
        refuse_what_cannot_run(server, services.control.desired, services.mcp.problems)
        change, key = PutMcpServer(server=server), f"mcp_servers/{name}"
        return await make_change(request, context, change, key=key, must_match=True)

    @changing(delete, "/{name:str}", Permission.MCP_WRITE, "deleteMcpServer")
    async def delete(
        self, request: Ask, context: Use, name: FromPath[str], routes: FromQuery[bool] = False
    ) -> Response[OperationView]:
        """Delete an MCP server. If-Match is required; refused while routes or federations use
        it. With `routes`, the routes to it go with it, in the same change: needs `routes:write`."""
        _may_delete(request, routes=routes)
        change, key = DeleteMcpServer(name=name, routes=routes), f"mcp_servers/{name}"
        return await make_change(request, context, change, key=key, must_match=True)

    @post(
        "/{name:str}/restart",
        opt=rule(Permission.MCP_WRITE),
        operation_id="restartMcpServer",
        status_code=202,
    )
    async def restart(self, request: Ask, context: Use, name: FromPath[str]) -> McpServerView:
        """End the server's processes and start others under their sessions, also one that rests.
        Requests in flight are answered by the error 50301."""
        view = mcp_server(request, context, name)
        await context.services.mcp.restart(name)
        return view


class McpFederationRoutes(Controller):
    """Several MCP servers as one."""

    path = "/mcp/federations"
    tags = ("mcp",)

    @get("/", opt=rule(Permission.READ), operation_id="listMcpFederations")
    async def list(self, request: Ask, context: Use) -> McpFederationList:
        """All federations, by name, and how they are."""
        names = sorted(context.services.control.desired.mcp_federations)
        return McpFederationList([mcp_federation(request, context, name) for name in names])

    @get("/{name:str}", opt=rule(Permission.READ), operation_id="getMcpFederation")
    async def one(
        self, request: Ask, context: Use, name: FromPath[str]
    ) -> Response[McpFederationView]:
        """One federation."""
        view = mcp_federation(request, context, name)
        return Response(view, headers={"etag": f'"{view.revision}"'})

    @changing(put, "/{name:str}", Permission.MCP_WRITE, "putMcpFederation", body=FederationSpec)
    async def put(self, request: Ask, context: Use, name: FromPath[str]) -> Response[OperationView]:
        """Add a federation, or replace it: then If-Match is required."""
        limit = context.options.max_body
        found = await read_body(request, FederationSpec, limit=limit, what="federation")
        same_name(name, found.name)
        services = context.services
        refuse_what_cannot_run(found, services.control.desired, services.mcp.problems)
        change, key = PutMcpFederation(federation=found), f"mcp_federations/{name}"
        return await make_change(request, context, change, key=key, must_match=True)

    @changing(delete, "/{name:str}", Permission.MCP_WRITE, "deleteMcpFederation")
    async def delete(
        self, request: Ask, context: Use, name: FromPath[str], routes: FromQuery[bool] = False
    ) -> Response[OperationView]:
        """Delete a federation. If-Match is required; refused while routes use it, unless they go
        with it: `routes`, as of a server."""
        _may_delete(request, routes=routes)
        change, key = DeleteMcpFederation(name=name, routes=routes), f"mcp_federations/{name}"
        return await make_change(request, context, change, key=key, must_match=True)


def mcp_server(request: Ask, context: Use, name: str) -> McpServerView:
    """What whoever asks may see of a server. Raises `NotFound`."""
    desired = context.services.control.desired
    if name not in desired.mcp_servers:
        raise NotFound(f"there is no MCP server {name}")
    spec, key = desired.mcp_servers[name], f"mcp_servers/{name}"
    status, writes = context.services.mcp.status.get(name), _writes(request)
    return McpServerView(
        name=name,
        managed_by=desired.origins.get(key, "api"),
        revision=desired.changed[key],
        spec=spec if writes else hide_server(spec),
        status=status if writes or status is None else replace(status, stderr=""),
    )


def mcp_federation(request: Ask, context: Use, name: str) -> McpFederationView:
    """What whoever asks may see of a federation. Raises `NotFound`."""
    desired = context.services.control.desired
    if name not in desired.mcp_federations:
        raise NotFound(f"there is no federation {name}")
    spec, key = desired.mcp_federations[name], f"mcp_federations/{name}"
    return McpFederationView(
        name=name,
        managed_by=desired.origins.get(key, "api"),
        revision=desired.changed[key],
        spec=spec if _writes(request) else hide_federation(spec),
        status=context.services.mcp.status.get(name),
    )


def _may_delete(request: Ask, *, routes: bool) -> None:
    if routes:
        principal(request).require(Permission.ROUTES_WRITE)


def _writes(request: Ask) -> bool:
    return Permission.MCP_WRITE in principal(request).permissions
