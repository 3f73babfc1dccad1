"""Artifacts: what was uploaded, and what the layers found in it."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.artifacts import Artifact
from plugbay.artifacts.sbom import Part, Wanted, parts_of
from plugbay.kernel import ArtifactState, Conflict, Invalid, Unavailable

PAGE = 50
MOST = 200
"""Components that are shown at once."""


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
        """One artifact, with every finding of every layer, and what it is made of."""
        artifact = pages.context.services.artifacts.get(digest)
        return pages.show(
            request,
            "artifact.html",
            section="artifacts",
            artifact=artifact,
            users=_users(pages),
            known=artifact.plugin in pages.context.services.control.desired.plugins,
            parts=await _parts(pages, artifact),
        )

    @get("/components", opt=rule(Permission.READ))
    async def components(
        self, request: Ask, pages: Show, name: FromQuery[str] = "", version: FromQuery[str] = ""
    ) -> Response[str]:
        """Which artifacts ship a component, in the versions that are asked for."""
        found, problem = [], ""
        if name.strip():
            try:
                found = await pages.context.bills.ships(Wanted(name.strip(), version.strip()))
            except Invalid as error:
                problem = "; ".join(f"{one.detail}: {one.expected}" for one in error.problems)
        enabled = pages.context.services.control.desired.enabled()
        return pages.show(
            request,
            "components.html",
            section="artifacts",
            name=name,
            version=version,
            found=found[:MOST],
            more=max(0, len(found) - MOST),
            problem=problem,
            running={spec.digest for spec in enabled.values()},
        )


async def _parts(pages: Pages, artifact: Artifact) -> tuple[list[Part], str]:
    """The components of its bill of materials, by name, or why there are none."""
    try:
        document = await pages.context.bills.document(artifact.digest)
    except (Conflict, Unavailable) as error:
        return [], error.detail
    return sorted(parts_of(msgspec.json.decode(document.raw)), key=lambda part: part.key), ""


def _users(pages: Pages) -> dict[str, str]:
    """Which plugin uses an artifact, by digest."""
    desired = pages.context.services.control.desired
    return {spec.digest: spec.id for spec in desired.plugins.values()}
