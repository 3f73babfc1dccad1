"""The upload: a place to drop a file, and what each layer says of it."""

from litestar import Controller, Response, get

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._rendering import Show
from plugbay.sdk import PHASES, Capability

FILTERS: tuple[Capability, ...] = ("request-filter", "response-filter", "body-filter")
"""What a binary can be on the way of a request."""


class UploadPageRoutes(Controller):
    """The upload."""

    path = "/upload"

    @get("/", opt=rule(Permission.ARTIFACTS_WRITE))
    async def form(self, request: Ask, pages: Show) -> Response[str]:
        """The form; the file goes to the REST API, which tells of each layer as it ends."""
        return pages.show(
            request,
            "upload.html",
            section="upload",
            most=pages.context.options.max_upload,
            phases=PHASES,
            capabilities=FILTERS,
            routes=sorted(pages.context.services.control.desired.routes),
        )
