"""Operations: changes in progress and done."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Use, etag, rule
from plugbay.admin._views import OperationView, Page


class OperationRoutes(Controller):
    """Operations: each change's steps and receipt."""

    path = "/operations"
    tags = ("operations",)

    @get("/", opt=rule(Permission.READ), operation_id="listOperations")
    async def list(
        self,
        context: Use,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
        before: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Page[OperationView]:
        """The operations, the newest first."""
        found = context.services.control.ledger.latest(limit=limit + 1, before=before)
        items = found[:limit]
        more = str(items[-1].sequence) if len(found) > limit else None
        return Page(items=[OperationView.of(one) for one in items], next=more)

    @get("/{operation_id:str}", opt=rule(Permission.READ), operation_id="getOperation")
    async def one(self, context: Use, operation_id: FromPath[str]) -> Response[OperationView]:
        """One operation. While it runs, Retry-After says when to ask again."""
        operation = context.services.control.ledger.get(operation_id)
        view = OperationView.of(operation)
        headers = {"etag": etag(view)}
        if not operation.finished:
            headers["retry-after"] = "1"
        return Response(view, headers=headers)

    @post(
        "/{operation_id:str}/cancel",
        opt=rule(Permission.PLUGINS_WRITE),
        operation_id="cancelOperation",
        status_code=200,
    )
    async def cancel(self, context: Use, operation_id: FromPath[str]) -> OperationView:
        """Cancel an operation that has not begun; later it is a conflict."""
        return OperationView.of(await context.services.control.cancel(operation_id))
