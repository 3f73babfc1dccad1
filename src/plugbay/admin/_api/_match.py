"""Which route a request takes, told without sending it."""

from typing import Annotated
from urllib.parse import urlsplit

from litestar import Controller, get
from litestar.params import QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Use, rule
from plugbay.gateway import RouteMatch, explain_route
from plugbay.kernel import Invalid, Problem

Url = Annotated[str, QueryParameter(description="Scheme, host and path, or the path alone.")]
Method = Annotated[str, QueryParameter(description="The request method, as `GET`.")]


class MatchRoutes(Controller):
    """Routing, explained."""

    path = "/match"
    tags = ("routes",)

    @get("/", opt=rule(Permission.READ), operation_id="matchRoute")
    async def match(self, context: Use, url: Url, method: Method = "GET") -> RouteMatch:
        """Which route takes such a request, and why the others do not. Where none does, it is
        answered by 404, or by 405 if other methods are allowed. Before it is matched, plugins of
        the phase `pre-routing` may still change a request."""
        host, path = _host_and_path(url)
        routes = tuple(context.services.control.desired.routes.values())
        return explain_route(routes, host, path, method.encode())


def _host_and_path(url: str) -> tuple[bytes, bytes]:
    try:
        parts = urlsplit(url)
        return parts.netloc.rpartition("@")[2].encode("ascii"), parts.path.encode("ascii") or b"/"
    except ValueError as error:
        problem = Problem(
            "/url",
            str(error),
            expected="scheme, host and path in ASCII, or a path",
            found=url[:200],
            remedy="write other characters as %XX, and other hosts as xn--...",
        )
        raise Invalid("this is no URL", problems=(problem,)) from None
