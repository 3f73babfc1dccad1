"""Plugins: what is wanted, what is, and changes."""

from typing import Annotated, Any, Literal, cast

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._changes import changing, make_change, wish_of
from plugbay.admin._http import Ask, Use, read_body, rule
from plugbay.admin._recent_logs import LogLine
from plugbay.admin._schema import check_config
from plugbay.admin._status import PluginView
from plugbay.admin._views import ArtifactView, OperationView, Page, page_of
from plugbay.artifacts import Artifact
from plugbay.control import (
    Disable,
    Enable,
    Pin,
    PluginSpec,
    Reload,
    Remove,
    Rollback,
    RuntimeChoice,
    Unpin,
)
from plugbay.kernel import Invalid, Problem
from plugbay.observability import TrafficPoint


class PluginWish(msgspec.Struct, frozen=True, kw_only=True):
    """How a plugin shall run: which artifact, by `digest` or `version`, and how. What is left
    out stays as it was."""

    digest: str = ""
    version: str = ""
    config: dict[str, Any] | None = None
    comment: str = ""
    routes: tuple[str, ...] | None = None
    on_error: Literal["open", "closed", "default"] | None = None
    drain: float | None = None
    watch: float | None = None
    runtime: RuntimeChoice | None = None
    """Where a wheel runs: in the workers, in processes of its own, or as its manifest says."""


class VersionList(msgspec.Struct, frozen=True):
    """The versions of a plugin, the highest first."""

    items: list[ArtifactView]


class LogLines(msgspec.Struct, frozen=True):
    """The latest lines, the oldest of them first."""

    items: list[LogLine]


class Series(msgspec.Struct, frozen=True):
    """What a plugin saw lately, the oldest point first."""

    items: list[TrafficPoint]


class PluginRoutes(Controller):
    """Plugins."""

    path = "/plugins"
    tags = ("plugins",)

    @get("/", opt=rule(Permission.READ), operation_id="listPlugins")
    async def list(
        self,
        context: Use,
        q: FromQuery[str] = "",
        enabled: FromQuery[bool | None] = None,
        wanted: Annotated[str, QueryParameter(name="state")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
        offset: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Response[Page[PluginView]]:
        """The plugins with their status, by id; `q` is a part of the id."""
        views = context.board.plugins()

        def encoded() -> bytes:
            found = [
                view
                for view in views
                if q in view.id
                and enabled in (None, view.desired.enabled)
                and wanted in ("", view.state)
            ]
            return msgspec.json.encode(page_of(found, offset, limit))

        body = context.listings.get(views, (q, enabled, wanted, limit, offset), encoded)
        return cast("Response[Page[PluginView]]", Response(body, media_type="application/json"))

    @get("/{plugin:str}", opt=rule(Permission.READ), operation_id="getPlugin")
    async def one(self, context: Use, plugin: FromPath[str]) -> Response[PluginView]:
        """One plugin: what is wanted, what is in each worker, and its versions."""
        view = context.board.plugin(plugin)
        if view is None:
            raise context.no_plugin(plugin)
        versions = [found.version for found in context.services.artifacts.versions(plugin)]
        full = msgspec.structs.replace(view, versions=versions)
        return Response(full, headers={"etag": f'"{view.generation}"'})

    @changing(put, "/{plugin:str}", Permission.PLUGINS_WRITE, "putPlugin", body=PluginWish)
    async def put(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Run a plugin like this. If it is there already, If-Match is required."""
        change = await _enable(request, context, plugin)
        return await make_change(request, context, change, key=f"plugins/{plugin}", must_match=True)

    @changing(post, "/{plugin:str}/enable", Permission.PLUGINS_WRITE, "enablePlugin")
    async def enable(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Run a disabled plugin again, as it was."""
        _exists(context, plugin)
        change = Enable(plugin=plugin)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(post, "/{plugin:str}/disable", Permission.PLUGINS_WRITE, "disablePlugin")
    async def disable(
        self, request: Ask, context: Use, plugin: FromPath[str], force: FromQuery[bool] = False
    ) -> Response[OperationView]:
        """Stop a plugin. Refused while others need it, unless by `force`: they stop too."""
        change = Disable(plugin=plugin, force=force)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(post, "/{plugin:str}/reload", Permission.PLUGINS_WRITE, "reloadPlugin")
    async def reload(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Start a fresh generation of the same artifact and config; ends a quarantine."""
        change = Reload(plugin=plugin)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(post, "/{plugin:str}/rollback", Permission.PLUGINS_WRITE, "rollbackPlugin")
    async def rollback(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Go back to what the plugin was before its last change: artifact and config."""
        change = Rollback(plugin=plugin)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(post, "/{plugin:str}/pin", Permission.PLUGINS_WRITE, "pinPlugin")
    async def pin(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Hold a plugin at its version, because of `reason`: nothing moves it to another one, not
        even an automatic rollback, until it is unpinned."""
        change = Pin(plugin=plugin, why=wish_of(request, context).reason)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(post, "/{plugin:str}/unpin", Permission.PLUGINS_WRITE, "unpinPlugin")
    async def unpin(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Let a plugin move to other versions again."""
        change = Unpin(plugin=plugin)
        return await make_change(request, context, change, key=f"plugins/{plugin}")

    @changing(delete, "/{plugin:str}", Permission.PLUGINS_WRITE, "deletePlugin")
    async def delete(
        self, request: Ask, context: Use, plugin: FromPath[str], force: FromQuery[bool] = False
    ) -> Response[OperationView]:
        """Stop a plugin and forget its slot; the history of its config stays."""
        change = Remove(plugin=plugin, force=force)
        return await make_change(request, context, change, key=f"plugins/{plugin}", must_match=True)

    @get("/{plugin:str}/versions", opt=rule(Permission.READ), operation_id="listVersions")
    async def versions(self, context: Use, plugin: FromPath[str]) -> VersionList:
        """The versions that could be run, the highest first."""
        found = context.services.artifacts.versions(plugin)
        if not found:
            _exists(context, plugin)
        return VersionList([ArtifactView.of(artifact) for artifact in found])

    @get("/{plugin:str}/series", opt=rule(Permission.READ), operation_id="getSeries")
    async def series(self, context: Use, plugin: FromPath[str]) -> Series:
        """What went through the plugin in the last ten minutes, in points of five seconds."""
        _exists(context, plugin)
        return Series(list(context.services.traffic.plugin(plugin)))

    @get("/{plugin:str}/logs", opt=rule(Permission.READ), operation_id="getLogs")
    async def logs(
        self,
        context: Use,
        plugin: FromPath[str],
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> LogLines:
        """What the plugin has logged lately, in all workers."""
        _exists(context, plugin)
        return LogLines(context.services.logs.recent(plugin, limit))


async def _enable(request: Ask, context: Use, plugin: str) -> Enable:
    wish = await read_body(request, PluginWish, limit=context.options.max_body, what="plugin")
    artifacts = context.services.artifacts
    spec = context.services.control.desired.plugins.get(plugin)
    digest = wish.digest
    if wish.version:
        found = artifacts.find(plugin, wish.version)
        if digest not in ("", found.digest):
            problem = Problem("/digest", "is not this version", found.digest, digest)
            raise Invalid("digest and version name different artifacts", problems=(problem,))
        digest = found.digest
    used = digest or (spec.digest if spec else "")
    if not used:
        problem = Problem("/version", "is missing", "a version, or a digest")
        raise Invalid(f"{plugin} is not there yet: say which version", problems=(problem,))
    artifact = artifacts.get(used)
    check_config(artifact.config_schema, _config(wish, spec, artifact))
    return Enable(
        plugin=plugin,
        digest=digest,
        config=wish.config,
        comment=wish.comment,
        routes=wish.routes,
        on_error=wish.on_error,
        drain=wish.drain,
        watch=wish.watch,
        runtime=wish.runtime,
    )


def _config(wish: PluginWish, spec: PluginSpec | None, artifact: Artifact) -> dict[str, Any]:
    """Return what it is to run with: what was asked for, else as it was, else as it comes."""
    if wish.config is not None:
        return wish.config
    if spec is not None:
        return spec.config
    return artifact.manifest.config if artifact.manifest else {}


def _exists(context: Use, plugin: str) -> None:
    if plugin not in context.services.control.desired.plugins:
        raise context.no_plugin(plugin)
