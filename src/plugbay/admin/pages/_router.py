"""Where the pages are."""

from litestar import Router
from litestar.di import Provide

from plugbay.admin._http import Use
from plugbay.admin._page_paths import HOME
from plugbay.admin.pages._access import AccessPageRoutes
from plugbay.admin.pages._artifacts import ArtifactPageRoutes
from plugbay.admin.pages._audit import AuditPageRoutes
from plugbay.admin.pages._dependencies import DependencyPageRoutes
from plugbay.admin.pages._entrance import EntranceRoutes, HomeRoutes
from plugbay.admin.pages._mcp import McpPageRoutes
from plugbay.admin.pages._operations import OperationPageRoutes
from plugbay.admin.pages._overview import OverviewRoutes
from plugbay.admin.pages._plugin import PluginPageRoutes
from plugbay.admin.pages._plugin_list import PluginListRoutes
from plugbay.admin.pages._rendering import Pages, Templates
from plugbay.admin.pages._routes import RoutePageRoutes
from plugbay.admin.pages._upload import UploadPageRoutes
from plugbay.admin.pages._workers import WorkerPageRoutes

PAGES = (
    EntranceRoutes,
    OverviewRoutes,
    PluginListRoutes,
    PluginPageRoutes,
    UploadPageRoutes,
    RoutePageRoutes,
    McpPageRoutes,
    DependencyPageRoutes,
    OperationPageRoutes,
    WorkerPageRoutes,
    ArtifactPageRoutes,
    AuditPageRoutes,
    AccessPageRoutes,
)


def page_router(templates: Templates) -> list[Router]:
    """All pages; the OpenAPI document leaves them out."""

    def provide(context: Use) -> Pages:
        return Pages(context, templates)

    shared = {"pages": Provide(provide, sync_to_thread=False)}
    return [
        Router(HOME, route_handlers=PAGES, dependencies=shared, include_in_schema=False),
        Router("/", route_handlers=[HomeRoutes], include_in_schema=False),
    ]
