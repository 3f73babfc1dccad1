"""Artifacts: upload, list, fetch, delete."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, rule
from plugbay.admin._sse import MEDIA_TYPE, accepts_events, with_heartbeat
from plugbay.admin._uploads import narrate, receive, validated
from plugbay.admin._views import ArtifactView, Page, page_of
from plugbay.artifacts import Kind, Migration, UpkeepReport, format_repr_digest
from plugbay.kernel import ArtifactState

BINARY = "application/octet-stream"
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Wanted = Annotated[ArtifactState | None, QueryParameter(name="state")]
Offset = Annotated[int, QueryParameter(name="next", ge=0)]


class ArtifactRoutes(Controller):
    """Artifacts: immutable bytes, named by their SHA-256."""

    path = "/artifacts"
    tags = ("artifacts",)

    @post(
        "/",
        opt=rule(Permission.ARTIFACTS_WRITE, upload=True, checks_plugin=True, text=MEDIA_TYPE),
        operation_id="uploadArtifact",
    )
    async def upload(
        self, request: Ask, context: Use, filename: FromQuery[str | None] = None
    ) -> Response[ArtifactView]:
        """Upload and validate a plugin, as the body or as a form's file. `Repr-Digest` is checked.
        A binary needs its manifest in the form's field `manifest`: the text of a plugbay.toml.
        With a JSON object in the field `config` it is tried with that, also if it is there already.
        With `Accept: text/event-stream` each layer of the validation is told as it ends."""
        upload = await receive(request, context, filename)
        if accepts_events(request.headers.get("accept", "")):
            events = narrate(request, context, upload)
            beating = with_heartbeat(events, context.options.heartbeat)
            return cast(Response[ArtifactView], Stream(beating, media_type=MEDIA_TYPE))
        return await validated(request, context, upload)

    @get("/", opt=rule(Permission.READ), operation_id="listArtifacts")
    async def list(
        self,
        context: Use,
        plugin: FromQuery[str] = "",
        wanted: Wanted = None,
        kind: FromQuery[Kind | None] = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Page[ArtifactView]:
        """The artifacts, the last uploaded first."""
        found = context.services.artifacts.list(plugin=plugin, state=wanted, kind=kind or "")
        return page_of([ArtifactView.of(artifact) for artifact in found], offset, limit)

    @post(
        "/check",
        opt=rule(Permission.ARTIFACTS_WRITE),
        status_code=200,
        operation_id="checkArtifacts",
    )
    async def check(self, context: Use, mend: FromQuery[bool] = False) -> UpkeepReport:
        """Read every stored byte and compare it with its digest, here and in the backing store.
        With `mend`, what is of no use in the backing store is removed."""
        return await context.services.upkeep.check(mend=mend)

    @post(
        "/migrate",
        opt=rule(Permission.ARTIFACTS_WRITE),
        status_code=200,
        operation_id="migrateArtifacts",
    )
    async def migrate(self, context: Use) -> Migration:
        """Bring this disk and the backing store to the same artifacts, and take over those that
        another gateway has stored there, through every layer of the validation."""
        return await context.services.upkeep.migrate()

    @get("/{digest:str}", opt=rule(Permission.READ), operation_id="getArtifact")
    async def one(self, context: Use, digest: FromPath[str]) -> Response[ArtifactView]:
        """One artifact with the findings of its validation."""
        artifact = context.services.artifacts.get(digest)
        return Response(ArtifactView.of(artifact), headers={"etag": f'"{digest}.{artifact.state}"'})

    @get(
        "/{digest:str}/content",
        opt=rule(Permission.READ),
        operation_id="getArtifactContent",
        media_type=BINARY,
    )
    async def content(self, context: Use, digest: FromPath[str]) -> Response[bytes]:
        """The bytes, verified against the digest first."""
        artifact = context.services.artifacts.get(digest)
        chunks = context.services.artifacts.content(digest)
        first = await anext(chunks, b"")  # so that damaged bytes are a problem, not a cut answer

        async def all_chunks() -> AsyncIterator[bytes]:
            yield first
            async for chunk in chunks:
                yield chunk

        safe = "".join(c if c.isalnum() or c in "._-+" else "_" for c in artifact.filename)
        headers = {
            "content-length": str(artifact.size),
            "content-disposition": f'attachment; filename="{safe}"',
            "repr-digest": format_repr_digest(digest),
            "etag": f'"{digest}"',
        }
        streamed = Stream(all_chunks(), media_type=BINARY, headers=headers)
        return cast(Response[bytes], streamed)  # what the document shall say

    @delete("/{digest:str}", opt=rule(Permission.ARTIFACTS_WRITE), operation_id="deleteArtifact")
    async def delete(self, context: Use, digest: FromPath[str]) -> None:
        """Delete an artifact; refused while a plugin uses it."""
        services = context.services
        in_use = {spec.digest for spec in services.control.desired.plugins.values()}
        await services.artifacts.delete(digest, in_use=in_use)
