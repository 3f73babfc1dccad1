"""What artifacts are made of, and who ships a component."""

from typing import Annotated, Any, cast

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Use, rule
from plugbay.admin._views import Page, page_of
from plugbay.artifacts.sbom import Shipped, Wanted
from plugbay.control import Desired

MEDIA_TYPE = "application/vnd.cyclonedx+json"
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Offset = Annotated[int, QueryParameter(name="next", ge=0)]


class ComponentView(msgspec.Struct, frozen=True, kw_only=True):
    """A component of an artifact. `enabled` if the artifact is what its plugin runs now.
    `certain` is false if it has no version that could be compared: then look yourself."""

    name: str
    version: str
    ecosystem: str
    purl: str
    certain: bool
    artifact: str
    plugin: str
    plugin_version: str
    enabled: bool

    @classmethod
    def of(cls, shipped: Shipped, desired: Desired) -> "ComponentView":
        """Show one, as things are now."""
        artifact, part = shipped.artifact, shipped.part
        running = desired.enabled().get(artifact.plugin)
        return cls(
            name=part.name,
            version=part.version,
            ecosystem=part.ecosystem,
            purl=part.purl,
            certain=shipped.certain,
            artifact=artifact.digest,
            plugin=artifact.plugin,
            plugin_version=artifact.version,
            enabled=running is not None and running.digest == artifact.digest,
        )


class BillRoutes(Controller):
    """Bills of materials (SBOM)."""

    path = "/"
    tags = ("artifacts",)

    @get(
        "/artifacts/{digest:str}/sbom",
        opt=rule(Permission.READ),
        media_type=MEDIA_TYPE,
        operation_id="getArtifactSbom",
    )
    async def bill(self, context: Use, digest: FromPath[str]) -> Response[dict[str, Any]]:
        """What a validated artifact is made of, as CycloneDX: the document that the wheel
        brings along, or one that is made of what the gateway has found."""
        document = await context.bills.document(digest)
        answer = Response(document.raw, media_type=f"{MEDIA_TYPE}; version={document.spec}")
        return cast(Response[dict[str, Any]], answer)  # what the document shall say

    @get("/components", opt=rule(Permission.READ), operation_id="findComponents")
    async def find(
        self,
        context: Use,
        name: FromQuery[str],
        version: FromQuery[str] = "",
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Page[ComponentView]:
        """Which artifacts ship a component: `name=requests&version=<2.32`, or a Go module's path
        with `version=<v1.4.0`; a name may end in `*`. The last uploaded artifact first."""
        found = await context.bills.ships(Wanted(name, version))
        desired = context.services.control.desired
        return page_of([ComponentView.of(one, desired) for one in found], offset, limit)
