"""The form to sign in, static files, and the ways that lead to the pages."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin._page_paths import HOME, safe_next
from plugbay.admin.pages._rendering import Show

YEAR = "public, max-age=31536000, immutable"


class EntranceRoutes(Controller):
    """What is there before anybody has signed in, and where old addresses lead."""

    path = "/"

    @get("/sign-in", opt=rule(None))
    async def sign_in(
        self,
        request: Ask,
        pages: Show,
        wanted: Annotated[str, QueryParameter(name="next")] = HOME,
    ) -> Response[str]:
        """The form; whoever is signed in already is led on."""
        following = safe_next(wanted)
        if request.scope["user"] is not None:
            return Redirect(following, status_code=303)
        oidc = pages.context.access.oidc
        name = "" if oidc is None else oidc.name
        return pages.bare(request, "sign_in.html", following=following, oidc_name=name)

    @get("/static/{edition:str}/{name:path}", opt=rule(None))
    async def static(
        self, pages: Show, edition: FromPath[str], name: FromPath[str]
    ) -> Response[bytes]:
        """A static file, for ever: another content has another address."""
        content, media_type = pages.assets.content(name.lstrip("/"))
        kept = YEAR if edition == pages.assets.version else "no-cache"
        return Response(content, media_type=media_type, headers={"cache-control": kept})

    @get("/plugin-binaries", opt=rule(Permission.READ))
    async def binaries(self) -> Redirect:
        """The plugins, at the address that they have in Odin."""
        return Redirect(f"{HOME}/plugins", status_code=303)

    @get("/plugin-binaries/upload", opt=rule(Permission.READ))
    async def binaries_upload(self) -> Redirect:
        """The upload, at the address that it has in Odin."""
        return Redirect(f"{HOME}/upload", status_code=303)


class HomeRoutes(Controller):
    """Whoever types only the server's name."""

    path = "/"

    @get("/", opt=rule(Permission.SELF))
    async def home(self) -> Redirect:
        """The overview."""
        return Redirect(HOME, status_code=303)
