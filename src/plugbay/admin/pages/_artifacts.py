"""Artifacts: what was uploaded, and what the layers found in it."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.kernel import ArtifactState

PAGE = 50


class ArtifactPageRoutes(Controller):
    """Artifacts."""

    path = "/artifacts"

    @get("/", opt=rule(Permission.READ))
    async def list(
        self,
        request: Ask,
        pages: Show,
        q: FromQuery[str] = "",
        wanted: Annotated[str, QueryParameter(name="state")] = "",
        offset: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Response[str]:
        """The artifacts, the last uploaded first."""
        every = pages.context.services.artifacts.list()
        text = q.strip().lower()
        found = [
            one
            for one in every
            if wanted in ("", one.state) and text in f"{one.plugin} {one.filename} {one.digest}"
        ]
        return pages.show(
            request,
            "artifacts.html",
            section="artifacts",
            artifacts=found[offset : offset + PAGE],
            following=offset + PAGE if len(found) > offset + PAGE else 0,
            offset=offset,
            total=len(every),
            users=_users(pages),
            q=q,
            state=wanted,
            states=list(ArtifactState),
        )

    @get("/{digest:str}", opt=rule(Permission.READ))
    async def one(self, request: Ask, pages: Show, digest: FromPath[str]) -> Response[str]:
        """One artifact, with every finding of every layer."""
        return pages.show(
            request,
            "artifact.html",
            section="artifacts",
            artifact=pages.context.services.artifacts.get(digest),
            users=_users(pages),
        )


def _users(pages: Pages) -> dict[str, str]:
    """Which plugin uses an artifact, by digest."""
    desired = pages.context.services.control.desired
    return {spec.digest: spec.id for spec in desired.plugins.values()}
