"""The audit log: who did what, allowed or refused."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.audit import AuditFilter, page
from plugbay.admin.pages._rendering import Show

PAGE = 50


class AuditPageRoutes(Controller):
    """Records."""

    path = "/audit"

    @get("/", opt=rule(Permission.AUDIT_READ))
    async def list(
        self,
        request: Ask,
        pages: Show,
        actor: FromQuery[str] = "",
        target: FromQuery[str] = "",
        outcome: FromQuery[str] = "",
        before: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Response[str]:
        """The records, the newest first."""
        chosen = AuditFilter(
            actor=actor.strip(),
            target=f"{target.strip()}*" if target.strip() else "",
            refused={"refused": True, "allowed": False}.get(outcome),
        )
        database = pages.context.services.database
        found = page(database, chosen, before=before, limit=PAGE + 1)
        return pages.show(
            request,
            "audit.html",
            section="audit",
            records=found[:PAGE],
            following=found[PAGE - 1]["sequence"] if len(found) > PAGE else 0,
            first=before == 0,
            actor=actor,
            target=target,
            outcome=outcome,
        )
