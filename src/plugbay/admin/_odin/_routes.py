"""The routes of `/admin/api/plugin-binaries`."""

from typing import Any

import msgspec
from litestar import Controller, Response, Router, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, SkipValidation

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, etag, read_limited, rule
from plugbay.admin._odin._binaries import PluginBinaries
from plugbay.admin._odin._errors import OdinError, OdinProblem, answer
from plugbay.admin._odin._filters import matching
from plugbay.admin._odin._record import OdinPlugin, counted
from plugbay.admin._odin._upload import FIELDS, receive
from plugbay.kernel import PreconditionFailed

PATH = "/plugin-binaries"
Binaries = NamedDependency[SkipValidation[PluginBinaries]]


def odin_rule(permission: Permission, **said: Any) -> dict[str, Any]:
    """The rule of a route whose errors are Odin's."""
    return rule(permission, errors=OdinProblem, **said)


class OdinPlugins(msgspec.Struct, frozen=True, kw_only=True):
    """The records, the last uploaded first."""

    success: bool = True
    plugins: list[OdinPlugin]
    count: int


class OdinStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, by what they do."""

    success: bool = True
    total_plugins: int
    enabled: int
    disabled: int
    status_counts: dict[str, int]


class OdinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    success: bool = True
    plugin: OdinPlugin


class OdinDone(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and the record after it."""

    success: bool = True
    message: str
    plugin: OdinPlugin


class OdinDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    success: bool = True
    message: str


class OdinConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration."""

    config: dict[str, Any]


class OdinRollback(msgspec.Struct, frozen=True, kw_only=True):
    """Which version to go back to; empty: what ran before."""

    version: str = ""


class OdinPinning(msgspec.Struct, frozen=True, kw_only=True):
    """Why a plugin is held at its version."""

    reason: str = ""


class OdinRoutes(Controller):
    """Plugin binaries, as clients of Odin know them."""

    path = PATH
    tags = ("plugin-binaries",)

    @post(
        "/upload",
        opt=odin_rule(Permission.ARTIFACTS_WRITE, upload=True, form=FIELDS),
        operation_id="uploadPluginBinary",
        status_code=201,
    )
    async def upload(self, request: Ask, binaries: Binaries) -> OdinAnswer:
        """Upload and validate a plugin of any kind; the fields may stand behind the file."""
        known = await receive(request, binaries)
        return OdinAnswer(plugin=known.shown())

    @get("/", opt=odin_rule(Permission.READ), operation_id="listPluginBinaries")
    async def all(
        self,
        binaries: Binaries,
        enabled: FromQuery[bool | None] = None,
        name: FromQuery[str] = "",
        status: FromQuery[str] = "",
    ) -> OdinPlugins:
        """The records; `name` is a regular expression."""
        return _listed(binaries, enabled, name, status)

    @get("/list", opt=odin_rule(Permission.READ), operation_id="listPluginBinariesToo")
    async def list(
        self,
        binaries: Binaries,
        enabled: FromQuery[bool | None] = None,
        name: FromQuery[str] = "",
        status: FromQuery[str] = "",
    ) -> OdinPlugins:
        """The records, once more."""
        return _listed(binaries, enabled, name, status)

    @get("/stats", opt=odin_rule(Permission.READ), operation_id="countPluginBinaries")
    async def stats(self, binaries: Binaries) -> OdinStats:
        """How many there are."""
        known = binaries.all()
        enabled = sum(one.enabled for one in known)
        return OdinStats(
            total_plugins=len(known),
            enabled=enabled,
            disabled=len(known) - enabled,
            status_counts=dict(counted(known)),
        )

    @get("/{id:str}", opt=odin_rule(Permission.READ), operation_id="getPluginBinary")
    async def one(self, binaries: Binaries, id: FromPath[str]) -> Response[OdinAnswer]:
        """One record."""
        said = OdinAnswer(plugin=binaries.get(id).shown())
        return Response(said, headers={"etag": etag(said.plugin)})

    @post(
        "/{id:str}/enable",
        opt=odin_rule(Permission.PLUGINS_WRITE, checks_plugin=True),
        operation_id="enablePluginBinary",
        status_code=200,
    )
    async def enable(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDone:
        """Run this version in every worker; another one of its plugin is swapped for it."""
        known, new = await binaries.enable(request, id)
        message = "Plugin enabled successfully" if new else "Plugin is already enabled"
        return OdinDone(message=message, plugin=known.shown())

    @post(
        "/{id:str}/disable",
        opt=odin_rule(Permission.PLUGINS_WRITE, checks_plugin=True),
        operation_id="disablePluginBinary",
        status_code=200,
    )
    async def disable(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDone:
        """Stop it; requests inside are ended first."""
        known, ran = await binaries.disable(request, id)
        message = "Plugin disabled successfully" if ran else "Plugin is already disabled"
        return OdinDone(message=message, plugin=known.shown())

    @post(
        "/{id:str}/rollback",
        opt=odin_rule(Permission.PLUGINS_WRITE, body=OdinRollback, checks_plugin=True),
        operation_id="rollbackPluginBinary",
        status_code=200,
    )
    async def rollback(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDone:
        """Run any earlier version of this plugin."""
        wish = await _body(request, OdinRollback, binaries, empty=OdinRollback())
        known = await binaries.rollback(request, id, wish.version)
        message = f"Plugin rolled back to version {known.version} successfully"
        return OdinDone(message=message, plugin=known.shown())

    @post(
        "/{id:str}/pin",
        opt=odin_rule(Permission.PLUGINS_WRITE, body=OdinPinning, checks_plugin=True),
        operation_id="pinPluginBinary",
        status_code=200,
    )
    async def pin(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDone:
        """Hold the plugin at this version: neither a change nor a failure moves it to another."""
        wish = await _body(request, OdinPinning, binaries, empty=OdinPinning())
        known = await binaries.pin(request, id, wish.reason)
        return OdinDone(message="Plugin pinned successfully", plugin=known.shown())

    @post(
        "/{id:str}/unpin",
        opt=odin_rule(Permission.PLUGINS_WRITE, checks_plugin=True),
        operation_id="unpinPluginBinary",
        status_code=200,
    )
    async def unpin(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDone:
        """Let the plugin move to other versions again."""
        known = await binaries.unpin(request, id)
        return OdinDone(message="Plugin unpinned successfully", plugin=known.shown())

    @put(
        "/{id:str}/config",
        opt=odin_rule(Permission.CONFIG_WRITE, body=OdinConfig, if_match=True, checks_plugin=True),
        operation_id="configurePluginBinary",
    )
    async def configure(
        self, request: Ask, binaries: Binaries, id: FromPath[str]
    ) -> Response[OdinDone]:
        """Give it another configuration: at once if it runs. If-Match is heeded."""
        _check_match(request, binaries, id)
        wish = await _body(request, OdinConfig, binaries)
        known = await binaries.configure(request, id, wish.config)
        done = OdinDone(message="Configuration updated successfully", plugin=known.shown())
        return Response(done, headers={"etag": etag(done.plugin)})

    @delete(
        "/{id:str}",
        opt=odin_rule(Permission.ARTIFACTS_WRITE, checks_plugin=True),
        operation_id="deletePluginBinary",
        status_code=200,
    )
    async def delete(self, request: Ask, binaries: Binaries, id: FromPath[str]) -> OdinDeleted:
        """Stop it if it runs, and delete it with its file."""
        await binaries.delete(request, id)
        return OdinDeleted(message="Plugin deleted successfully")


def odin_router() -> Router:
    """Return the routes."""

    def provide(context: Use) -> PluginBinaries:
        return PluginBinaries(context)

    return Router(
        "/admin/api",
        route_handlers=[OdinRoutes],
        dependencies={"binaries": Provide(provide, sync_to_thread=False)},
        exception_handlers={Exception: answer},
    )


def _listed(binaries: PluginBinaries, enabled: bool | None, name: str, status: str) -> OdinPlugins:
    found = matching(binaries.all(), enabled=enabled, name=name, status=status)
    plugins = [known.shown() for known in found]
    return OdinPlugins(plugins=plugins, count=len(plugins))


def _check_match(request: Ask, binaries: PluginBinaries, id: str) -> None:
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    if etag(binaries.get(id).shown()) not in {tag.strip() for tag in wanted.split(",")}:
        raise PreconditionFailed("the plugin has changed meanwhile; look at it again")


async def _body(request: Ask, type_: Any, binaries: PluginBinaries, empty: Any = None) -> Any:
    raw = await read_limited(request, binaries.context.options.max_body)
    if not raw and empty is not None:
        return empty
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OdinError(400, f"Invalid request body: {error}") from None
