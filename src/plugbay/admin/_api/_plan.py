"""A whole document at once: what it would change, and its application."""

from typing import Any

import msgspec
from litestar import Controller, Response, get, post

from plugbay.admin._access import Permission
from plugbay.admin._changes import REVISION, changing, make_change
from plugbay.admin._document import Document, Planner, PlanStep
from plugbay.admin._document_of import document_of
from plugbay.admin._http import Ask, Use, principal, read_body, rule
from plugbay.admin._mcp_secrets import hides
from plugbay.admin._services import NoMcpHost
from plugbay.admin._views import OperationView
from plugbay.control import Batch


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a document would change, seen from `revision`."""

    revision: int
    steps: list[PlanStep]


class PlanRoutes(Controller):
    """Declarative changes."""

    path = "/"
    tags = ("plan",)

    @post(
        "/plan",
        opt=rule(Permission.READ, body=Document),
        operation_id="planDocument",
        status_code=200,
    )
    async def plan(self, request: Ask, context: Use) -> Response[Plan]:
        """What applying this document would change. Nothing is changed. Without `mcp:write`,
        values of MCP servers that may be secrets are neither shown nor compared, and it is not
        told whether their commands are there."""
        secrets = Permission.MCP_WRITE in principal(request).permissions
        planner = await _planned(request, context, secrets=secrets)
        revision = context.services.control.desired.revision
        plan = Plan(revision=revision, steps=planner.steps)
        return Response(plan, status_code=200, headers={"etag": f'"{revision}"'})

    @get("/document", opt=rule(Permission.READ), operation_id="exportDocument")
    async def export(self, request: Ask, context: Use) -> Response[Document]:
        """All desired state that no file manages, as a document: planned, it changes nothing.
        MCP servers that have values which may be secrets need `mcp:write`."""
        desired = context.services.control.desired
        if hides(desired.mcp):
            principal(request).require(Permission.MCP_WRITE)
        made: Any = document_of(desired)
        return Response(made, headers={"etag": f'"{desired.revision}"'})

    @changing(post, "/apply", Permission.APPLY, "applyDocument", body=Document)
    async def apply(self, request: Ask, context: Use) -> Response[OperationView]:
        """Make it so, as one change: all of it, or nothing. With the plan's ETag in If-Match
        it is refused if anything has been changed since. What it changes of MCP servers and
        federations also needs `mcp:write`."""
        planner = await _planned(request, context, secrets=True)
        if planner.changes_mcp:
            principal(request).require(Permission.MCP_WRITE)
        change = Batch(changes=tuple(planner.changes))
        return await make_change(request, context, change, key=REVISION)


async def _planned(request: Ask, context: Use, *, secrets: bool) -> Planner:
    document = await read_body(request, Document, limit=context.options.max_body, what="document")
    services = context.services
    desired, artifacts = services.control.desired, services.artifacts
    # What is on this machine is nobody's business who may not run it.
    allowed = Permission.MCP_WRITE in principal(request).permissions
    host = services.mcp if allowed else NoMcpHost()
    planner = Planner(desired, artifacts, document, secrets=secrets, here=host.problems)
    planner.run()
    await planner.check(services.control, principal(request).user)
    return planner
