"""The application: routes, the border around them, and errors as problems."""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar import Litestar, Response, Router
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from plugbay import __version__
from plugbay.admin._api import API, DOCS
from plugbay.admin._authentication import authentication
from plugbay.admin._background import Background
from plugbay.admin._border import Border, Gates
from plugbay.admin._context import Context
from plugbay.admin._hkp import hkp_router
from plugbay.admin._http import Ask, context_of, permit, visit
from plugbay.admin._limits import RateLimit
from plugbay.admin._listings import Listings
from plugbay.admin._odin import odin_router
from plugbay.admin._odin_notes import Notes
from plugbay.admin._openapi import describe
from plugbay.admin._options import AdminOptions
from plugbay.admin._page_paths import is_page
from plugbay.admin._problems import BASE, MEDIA_TYPE, headers_of, problem_of
from plugbay.admin._public import PublicRoutes
from plugbay.admin._status import StatusBoard
from plugbay.admin.pages import Pages, Templates, page_router
from plugbay.artifacts.sbom import Bills

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from litestar.types import ControllerRouterHandler

    from plugbay.admin._services import Services

LOOK = 1.0
"""Seconds; how exact the times of conditions are."""
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def create_admin(
    services: Services, options: AdminOptions | None = None, routes: Litestar | None = None
) -> Litestar:
    """Make the ASGI application of the admin API. Raises `Unavailable` if the database is newer.

    `routes` are those of `create_routes`; whoever makes many applications makes them once.
    """
    behind = create_routes() if routes is None else routes
    chosen = options or AdminOptions()
    clock = services.clock
    background, board = Background(), StatusBoard(services.control, clock)
    access = authentication(services, chosen)
    context = Context(
        services=services,
        options=chosen,
        access=access,
        background=background,
        board=board,
        listings=Listings(),
        bills=Bills(services.artifacts),
        notes=Notes(services.database),
        uploads=RateLimit(clock, "uploads", quota=chosen.uploads_per_minute),
        since=clock.monotonic(),
        document=functools.cache(lambda: describe(_routes(), __version__)),
    )
    app = Litestar(
        lifespan=[lambda app: _running(background, board)], openapi_config=None, logging_config=None
    )
    gates = Gates(
        credentials=access.credentials,
        limit=RateLimit(clock, "admin", quota=chosen.requests_per_minute),
        hosts=frozenset(host.lower() for host in chosen.hosts),
        audit=services.audit,
        clock=clock,
        public=PublicRoutes.of(behind),
        context=context,
    )
    app.asgi_handler = Border(behind, gates)
    return app


def create_routes() -> Litestar:
    """Make what answers behind the border. It keeps nothing: each request brings its `Context`."""
    templates = Templates()
    answer = functools.partial(_answer, templates)
    return Litestar(
        route_handlers=[*_routes(), *page_router(templates)],
        dependencies={"context": Provide(context_of, sync_to_thread=False)},
        guards=[permit],
        exception_handlers={Exception: answer, 500: answer},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )


@asynccontextmanager
async def _running(background: Background, board: StatusBoard) -> AsyncGenerator[None]:
    """What goes on between the requests."""
    background.start(_look(board), name="conditions")
    try:
        yield
    finally:
        await background.close()


async def _look(board: StatusBoard) -> None:
    """Note the times of conditions that nobody asks for."""
    while True:
        board.look()
        await asyncio.sleep(LOOK)


def _routes() -> list[ControllerRouterHandler]:
    v1 = Router("/admin/api/v1", route_handlers=list(API))
    return [
        v1,
        Router("/admin/api", route_handlers=list(DOCS)),
        odin_router(),
        hkp_router(),
    ]


def _answer(templates: Templates, request: Ask, error: Exception) -> Response[Any]:
    scope = cast("Mapping[str, Any]", request.scope)
    if is_page(request.scope) and scope.get("user") is not None:
        pages = Pages(context_of(request), templates)
        return pages.fault(request, error, visit(request).id)
    details = problem_of(error, instance=request.url.path, request_id=visit(request).id)
    seen = visit(request)
    seen.detail = seen.detail or details.type.removeprefix(BASE)
    headers = dict(headers_of(error))
    if isinstance(error, MethodNotAllowedException):
        headers["allow"] = ", ".join(_allowed(request))
    return Response(
        msgspec.json.encode(details),
        status_code=details.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _allowed(request: Ask) -> list[str]:
    """The methods that the path does have (RFC 9110, 15.5.6)."""
    allowed: list[str] = []
    for method in METHODS:
        try:
            request.app.asgi_router.handle_routing(path=request.url.path, method=method)
        except (MethodNotAllowedException, NotFoundException):
            continue
        allowed.append(method)
    return allowed
