"""Routes and upstreams: what there is, forms to change it, and the import from other tools."""

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery

from plugbay.admin._access import Permission
from plugbay.admin._changes import tag_of
from plugbay.admin._http import Ask, rule
from plugbay.admin._spare import spare
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.admin.pages._spec_form import route_form, upstream_form
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from plugbay.admin.pages._schema_form import Field


class RoutePageRoutes(Controller):
    """Routes and upstreams."""

    path = "/"

    @get("/routes", opt=rule(Permission.READ))
    async def list(self, request: Ask, pages: Show, q: FromQuery[str] = "") -> Response[str]:
        """Both, by name."""
        desired = pages.context.services.control.desired
        text = q.strip().lower()
        return pages.show(
            request,
            "routes.html",
            section="routes",
            q=q,
            routes=[one for _, one in sorted(desired.routes.items()) if _fits(text, one)],
            upstreams=[one for _, one in sorted(desired.upstreams.items()) if _fits(text, one)],
            users=_users(pages),
            mcp={
                **dict.fromkeys(desired.mcp_servers, "servers"),
                **dict.fromkeys(desired.mcp_federations, "federations"),
            },
            total=len(desired.routes) + len(desired.upstreams),
            tags={key: tag_of(desired, key) for key in desired.changed},
            origins=desired.origins,
        )

    @get("/routes/new", opt=rule(Permission.ROUTES_WRITE))
    async def new_route(self, request: Ask, pages: Show, mcp: FromQuery[str] = "") -> Response[str]:
        """A form for a route, empty or to an MCP server."""
        return _form(request, pages, "routes", "", None, mcp=mcp)

    @get("/routes/edit/{name:str}", opt=rule(Permission.READ))
    async def route(self, request: Ask, pages: Show, name: FromPath[str]) -> Response[str]:
        """A form for a route."""
        found = pages.context.services.control.desired.routes.get(name)
        return _form(request, pages, "routes", name, found)

    @get("/upstreams/new", opt=rule(Permission.UPSTREAMS_WRITE))
    async def new_upstream(self, request: Ask, pages: Show) -> Response[str]:
        """An empty form for an upstream."""
        return _form(request, pages, "upstreams", "", None)

    @get("/upstreams/edit/{name:str}", opt=rule(Permission.READ))
    async def upstream(self, request: Ask, pages: Show, name: FromPath[str]) -> Response[str]:
        """A form for an upstream."""
        found = pages.context.services.control.desired.upstreams.get(name)
        return _form(request, pages, "upstreams", name, found)


def _form(
    request: Ask,
    pages: Pages,
    kind: str,
    name: str,
    spec: RouteSpec | UpstreamSpec | None,
    *,
    mcp: str = "",
) -> Response[str]:
    if name and spec is None:
        raise NotFound(f"there is no {kind.removesuffix('s')} {name}")
    desired, key = pages.context.services.control.desired, f"{kind}/{name}"
    if kind == "routes":
        route = spec if isinstance(spec, RouteSpec) else None
        fields = route_form(route, desired.upstreams, desired.mcp.names)
        if mcp in desired.mcp.names:
            fields = tuple(map(partial(_leading_to, mcp), fields))
    else:
        fields = upstream_form(spec if isinstance(spec, UpstreamSpec) else None)
    return pages.show(
        request,
        "spec.html",
        section="routes",
        kind=kind,
        name=name,
        fields=fields,
        config={} if spec is None else {k: v for k, v in spare(spec).items() if k != "name"},
        etag=tag_of(desired, key) if name else "",
        fixed=desired.origins.get(key) == "file",
        users=_users(pages).get(name, []) if kind == "upstreams" else [],
    )


def _leading_to(mcp: str, field: "Field") -> "Field":
    """Fill in what a route to an MCP server is likely to say."""
    likely = {"name": mcp, "path": f"/{mcp}"}
    if field.label == "mcp":
        return replace(field, value=json.dumps(mcp), present=True)
    return replace(field, value=likely[field.label]) if field.label in likely else field


def _users(pages: Pages) -> dict[str, list[str]]:
    """The routes that lead to each upstream."""
    found: dict[str, list[str]] = {}
    for name, route in sorted(pages.context.services.control.desired.routes.items()):
        for upstream in filter(None, (route.upstream, route.mcp)):
            found.setdefault(upstream, []).append(name)
    return found


def _fits(text: str, one: Any) -> bool:
    if isinstance(one, RouteSpec):
        return any(text in place.lower() for place in (one.name, one.path, *one.leads, *one.hosts))
    return any(text in place.lower() for place in (one.name, *(to.address for to in one.targets)))
