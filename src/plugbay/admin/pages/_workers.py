"""The worker processes."""

from litestar import Controller, Response, get

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._rendering import Show


class WorkerPageRoutes(Controller):
    """Workers."""

    path = "/workers"

    @get("/", opt=rule(Permission.READ))
    async def list(self, request: Ask, pages: Show) -> Response[str]:
        """The connected workers, by name."""
        control = pages.context.services.control
        links = [control.roster.sessions[name] for name in sorted(control.roster.sessions)]
        return pages.show(
            request,
            "workers.html",
            section="workers",
            links=links,
            revision=control.desired.revision,
        )
