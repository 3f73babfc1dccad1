"""Documents of other tools: what importing one would make, and all routes as a collection."""

from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromQuery

from plugbay.admin._access import Permission
from plugbay.admin._document import Document, Planner, PlanStep
from plugbay.admin._http import Ask, Use, read_limited, rule
from plugbay.control.interchange import (
    Imported,
    Options,
    Remark,
    export_postman,
    import_openapi,
    import_postman,
)
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import Malformed


class ForeignDocument(msgspec.Struct, frozen=True):
    """A Postman collection v2.1, or an OpenAPI document 3.0 or 3.1; told by its content."""


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a document would make, seen from `revision`: send `routes` and `upstreams` to
    `POST /apply`. The remarks say what routes cannot say, and what was left out."""

    revision: int
    routes: tuple[RouteSpec, ...]
    upstreams: tuple[UpstreamSpec, ...]
    remarks: tuple[Remark, ...]
    steps: list[PlanStep]


class Collection(msgspec.Struct, frozen=True):
    """A Postman collection, format 2.1.0."""

    info: dict[str, Any]
    item: list[dict[str, Any]]
    variable: list[dict[str, str]]


class InterchangeRoutes(Controller):
    """Import and export."""

    path = "/"
    tags = ("plan",)

    @post(
        "/import",
        opt=rule(Permission.READ, body=ForeignDocument),
        operation_id="planImport",
        status_code=200,
    )
    async def plan(
        self, request: Ask, context: Use, name: FromQuery[str] = "", server: FromQuery[str] = ""
    ) -> Response[ImportPlan]:
        """What importing a document would make. Nothing is changed. `name` begins the names of
        the routes (its title, if left out), `server` replaces the servers of an OpenAPI
        document."""
        document = await _document(request, context)
        found = _read(document, Options(name=name, server=server))
        wanted = Document(routes=found.routes, upstreams=found.upstreams)
        desired = context.services.control.desired
        planner = Planner(desired, context.services.artifacts, wanted)
        planner.run()
        plan = ImportPlan(
            revision=desired.revision,
            routes=found.routes,
            upstreams=found.upstreams,
            remarks=found.remarks,
            steps=planner.steps,
        )
        return Response(plan, status_code=200, headers={"etag": f'"{desired.revision}"'})

    @get("/export/postman", opt=rule(Permission.READ), operation_id="exportPostman")
    async def export(
        self, context: Use, base_url: FromQuery[str] = "http://localhost:8080"
    ) -> Response[Collection]:
        """All routes as a Postman collection v2.1, whose requests go to the gateway at
        `base_url`. Importing it again gives the same routes and upstreams."""
        desired = context.services.control.desired
        made = export_postman(
            desired.routes.values(), desired.upstreams.values(), base_url=base_url
        )
        headers = {"content-disposition": 'attachment; filename="plugbay.postman.json"'}
        return Response(msgspec.convert(made, Collection), headers=headers)


def _read(document: dict[str, Any], options: Options) -> Imported:
    if "openapi" in document or "swagger" in document:
        return import_openapi(document, options)
    return import_postman(document, options)


async def _document(request: Ask, context: Use) -> dict[str, Any]:
    raw = await read_limited(request, context.options.max_body)
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is no JSON object: {error}") from None
