"""Routes and upstreams."""

import msgspec
from litestar import Controller, Response, delete, get, put
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._chain import ChainEntry, explain
from plugbay.admin._changes import changing, make_change, same_name
from plugbay.admin._http import Ask, Use, read_body, rule
from plugbay.admin._views import OperationView
from plugbay.control import DeleteRoute, DeleteUpstream, Origin, PutRoute, PutUpstream
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import NotFound


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """A route. `managed_by` is `file` if only gateway.toml can change it."""

    name: str
    managed_by: Origin
    revision: int
    spec: RouteSpec


class UpstreamView(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream. `managed_by` is `file` if only gateway.toml can change it."""

    name: str
    managed_by: Origin
    revision: int
    spec: UpstreamSpec


class RouteList(msgspec.Struct, frozen=True):
    """All routes."""

    items: list[RouteView]


class UpstreamList(msgspec.Struct, frozen=True):
    """All upstreams."""

    items: list[UpstreamView]


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The plugins that a request of a route passes, in this order; its response passes them
    in the reverse order."""

    route: str
    plugins: list[ChainEntry]


class RouteRoutes(Controller):
    """Routes: which requests go where."""

    path = "/routes"
    tags = ("routes",)

    @get("/", opt=rule(Permission.READ), operation_id="listRoutes")
    async def list(self, context: Use) -> RouteList:
        """All routes, by name."""
        return RouteList(
            [_route(context, name) for name in sorted(context.services.control.desired.routes)]
        )

    @get("/{name:str}", opt=rule(Permission.READ), operation_id="getRoute")
    async def one(self, context: Use, name: FromPath[str]) -> Response[RouteView]:
        """One route."""
        view = _route(context, name)
        return Response(view, headers={"etag": f'"{view.revision}"'})

    @changing(put, "/{name:str}", Permission.ROUTES_WRITE, "putRoute", body=RouteSpec)
    async def put(self, request: Ask, context: Use, name: FromPath[str]) -> Response[OperationView]:
        """Add a route, or replace it: then If-Match is required."""
        route = await read_body(request, RouteSpec, limit=context.options.max_body, what="route")
        same_name(name, route.name)
        return await make_change(
            request, context, PutRoute(route=route), key=f"routes/{name}", must_match=True
        )

    @changing(delete, "/{name:str}", Permission.ROUTES_WRITE, "deleteRoute")
    async def delete(
        self, request: Ask, context: Use, name: FromPath[str]
    ) -> Response[OperationView]:
        """Delete a route. If-Match is required."""
        return await make_change(
            request, context, DeleteRoute(name=name), key=f"routes/{name}", must_match=True
        )

    @get("/{name:str}/chain", opt=rule(Permission.READ), operation_id="getRouteChain")
    async def chain(self, context: Use, name: FromPath[str]) -> Chain:
        """The plugins of a route in their order, and why each stands where it does."""
        _route(context, name)
        return Chain(route=name, plugins=explain(context, name))


class UpstreamRoutes(Controller):
    """Upstreams: groups of targets that serve the same thing."""

    path = "/upstreams"
    tags = ("upstreams",)

    @get("/", opt=rule(Permission.READ), operation_id="listUpstreams")
    async def list(self, context: Use) -> UpstreamList:
        """All upstreams, by name."""
        names = sorted(context.services.control.desired.upstreams)
        return UpstreamList([_upstream(context, name) for name in names])

    @get("/{name:str}", opt=rule(Permission.READ), operation_id="getUpstream")
    async def one(self, context: Use, name: FromPath[str]) -> Response[UpstreamView]:
        """One upstream."""
        view = _upstream(context, name)
        return Response(view, headers={"etag": f'"{view.revision}"'})

    @changing(put, "/{name:str}", Permission.UPSTREAMS_WRITE, "putUpstream", body=UpstreamSpec)
    async def put(self, request: Ask, context: Use, name: FromPath[str]) -> Response[OperationView]:
        """Add an upstream, or replace it: then If-Match is required."""
        upstream = await read_body(
            request, UpstreamSpec, limit=context.options.max_body, what="upstream"
        )
        same_name(name, upstream.name)
        return await make_change(
            request,
            context,
            PutUpstream(upstream=upstream),
            key=f"upstreams/{name}",
            must_match=True,
        )

    @changing(delete, "/{name:str}", Permission.UPSTREAMS_WRITE, "deleteUpstream")
    async def delete(
        self, request: Ask, context: Use, name: FromPath[str]
    ) -> Response[OperationView]:
        """Delete an upstream. If-Match is required; refused while routes use it."""
        return await make_change(
            request, context, DeleteUpstream(name=name), key=f"upstreams/{name}", must_match=True
        )


def _route(context: Use, name: str) -> RouteView:
    desired = context.services.control.desired
    if name not in desired.routes:
        raise NotFound(f"there is no route {name}")
    key = f"routes/{name}"
    return RouteView(
        name=name,
        managed_by=desired.origins.get(key, "api"),
        revision=desired.changed[key],
        spec=desired.routes[name],
    )


def _upstream(context: Use, name: str) -> UpstreamView:
    desired = context.services.control.desired
    if name not in desired.upstreams:
        raise NotFound(f"there is no upstream {name}")
    key = f"upstreams/{name}"
    return UpstreamView(
        name=name,
        managed_by=desired.origins.get(key, "api"),
        revision=desired.changed[key],
        spec=desired.upstreams[name],
    )
