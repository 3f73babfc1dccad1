"""Sign-in by OpenID Connect: a browser is sent to the provider and comes back."""

from html import escape
from typing import Annotated

from litestar import Controller, Response, get
from litestar.datastructures import Cookie
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect

from plugbay.admin._api._sessions import session_cookie
from plugbay.admin._http import Ask, Use, rule, visit
from plugbay.admin._page_paths import HOME, safe_next
from plugbay.admin.access import Oidc
from plugbay.kernel import NotFound

BINDING = "plugbay_oidc"
PATH = "/admin/api/v1/oidc"
PAGE = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={target}">
<title>Signed in</title>
<p>Signed in. <a href="{target}">Continue</a></p>
"""
"""A page and no redirection: the session's cookie is `SameSite=Strict`, and browsers do not send
that in a chain of redirections that another site has begun."""


class OidcRoutes(Controller):
    """OpenID Connect. These are for browsers, which follow links to them."""

    path = "/oidc"
    tags = ("sessions",)

    @get("/start", opt=rule(None), operation_id="startOidc", status_code=303)
    async def start(
        self,
        context: Use,
        following: Annotated[str, QueryParameter(name="next")] = HOME,
    ) -> Redirect:
        """Send the browser to the provider; afterwards it goes on with the page `next`."""
        begun = await _oidc(context).begin(safe_next(following))
        cookie = _binding(begun.binding, 600, context)
        return Redirect(begun.location, status_code=303, cookies=[cookie])

    @get("/callback", opt=rule(None), operation_id="endOidc")
    async def callback(
        self,
        request: Ask,
        context: Use,
        code: FromQuery[str] = "",
        shown: Annotated[str, QueryParameter(name="state")] = "",
        error: FromQuery[str] = "",
    ) -> Response[str]:
        """Take the browser back from the provider, and start a session."""
        seen, oidc = visit(request), _oidc(context)
        seen.audited, seen.kind = True, "oidc"
        binding = request.cookies.get(BINDING, "")
        user, following = await oidc.end(shown, code, binding, error)
        seen.actor = user.name
        session = await context.credentials.sessions.open(user.name, "oidc")
        return Response(
            PAGE.format(target=escape(following, quote=True)),
            media_type="text/html",
            cookies=[
                session_cookie(session.secret, context.options.session, context),
                _binding("", 0, context),
            ],
        )


def _oidc(context: Use) -> Oidc:
    if context.access.oidc is None:
        raise NotFound("nobody signs in by OpenID Connect here")
    return context.access.oidc


def _binding(value: str, seconds: int, context: Use) -> Cookie:
    """`Lax`, since it must come along when the provider leads the browser back."""
    return Cookie(
        key=BINDING,
        value=value,
        path=PATH,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=context.options.secure_cookies,
    )
