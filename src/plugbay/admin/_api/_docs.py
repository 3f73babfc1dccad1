"""The OpenAPI document and a page that shows it."""

from typing import Any

from litestar import Controller, MediaType, Response, get

from plugbay.admin._access import Permission
from plugbay.admin._docs_page import STYLE, render
from plugbay.admin._http import Use, rule


class DocsRoutes(Controller):
    """The document and its page; both need a sign-in, like all the rest."""

    path = "/"
    tags = ("docs",)

    @get("/v1/openapi.json", opt=rule(Permission.SELF), operation_id="getOpenApi")
    async def document(self, context: Use) -> Response[dict[str, Any]]:
        """This document."""
        return Response(context.document(), media_type="application/json")

    @get("/docs", opt=rule(Permission.SELF), include_in_schema=False)
    async def page(self, context: Use) -> Response[str]:
        """A page that shows the document, without any script."""
        return Response(render(context.document()), media_type=MediaType.HTML)

    @get("/docs/style.css", opt=rule(Permission.SELF), include_in_schema=False)
    async def style(self) -> Response[str]:
        """The page's style."""
        return Response(STYLE, media_type=MediaType.CSS)
