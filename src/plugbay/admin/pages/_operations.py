"""Operations: the list, and one with its receipt."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._receipts import OperationCard
from plugbay.admin.pages._rendering import Show

PAGE = 30


class OperationPageRoutes(Controller):
    """Changes in progress and done."""

    path = "/operations"

    @get("/", opt=rule(Permission.READ))
    async def list(
        self,
        request: Ask,
        pages: Show,
        before: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Response[str]:
        """The operations, the newest first."""
        found = pages.context.services.control.ledger.latest(limit=PAGE + 1, before=before)
        return pages.show(
            request,
            "operations.html",
            section="operations",
            cards=[OperationCard.of(one) for one in found[:PAGE]],
            following=found[PAGE - 1].sequence if len(found) > PAGE else 0,
            first=before == 0,
        )

    @get("/{operation:str}", opt=rule(Permission.READ))
    async def one(self, request: Ask, pages: Show, operation: FromPath[str]) -> Response[str]:
        """One operation: what each worker did, and what it cost the requests that were there."""
        found = pages.context.services.control.ledger.get(operation)
        return pages.show(
            request, "operation.html", section="operations", card=OperationCard.of(found)
        )
