"""Where the pages are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router
from litestar.di import Provide

from plugbay.admin._page_paths import HOME
from plugbay.admin.pages._entrance import EntranceRoutes, HomeRoutes
from plugbay.admin.pages._plugin_list import PluginListRoutes

if TYPE_CHECKING:
    from plugbay.admin.pages._rendering import Pages


def page_router(pages: Pages) -> list[Router]:
    """All pages; the OpenAPI document leaves them out."""
    shared = {"pages": Provide(lambda: pages, sync_to_thread=False)}
    handlers = [EntranceRoutes, PluginListRoutes]
    return [
        Router(HOME, route_handlers=handlers, dependencies=shared, include_in_schema=False),
        Router("/", route_handlers=[HomeRoutes], include_in_schema=False),
    ]
