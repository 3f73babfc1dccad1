"""The routes of `/plugins`."""

from http import HTTPStatus
from typing import Annotated, Any, Literal, cast

from litestar import Controller, Response, Router, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation

from plugbay.admin._access import Permission
from plugbay.admin._hkp import _shapes as shape
from plugbay.admin._hkp._dependencies import as_dot, as_mermaid
from plugbay.admin._hkp._errors import RefusedError, answer
from plugbay.admin._hkp._operations import HkpOperations
from plugbay.admin._hkp._shapes import HkpConfig, HkpError, HkpRollback
from plugbay.admin._hkp._system import HkpSystem
from plugbay.admin._http import Ask, Use, rule

PATH = "/plugins"
System = NamedDependency[SkipValidation[HkpSystem]]
JSON = "application/json"
Plugin = Annotated[str, QueryParameter(name="plugin", description="The plugin's id.")]


def hkp_rule(permission: Permission, **said: Any) -> dict[str, Any]:
    """The rule of a route whose errors are HKP's."""
    return rule(permission, errors=HkpError, **said)


class HkpRoutes(Controller):
    """All plugins, and the older way to name one: in the query."""

    path = PATH
    tags = ("plugin-management",)

    @get("/status", opt=hkp_rule(Permission.READ), operation_id="getPluginSystemStatus")
    async def status(self, system: System) -> Response[shape.SystemStatus]:
        """The plugin system in figures."""
        return cast("Response[shape.SystemStatus]", Response(system.status(), media_type=JSON))

    @get("/list", opt=hkp_rule(Permission.READ), operation_id="listManagedPlugins")
    async def list(self, system: System) -> Response[shape.PluginList]:
        """All plugins in a few words."""
        return cast("Response[shape.PluginList]", Response(system.list(), media_type=JSON))

    @get("/health", opt=hkp_rule(Permission.READ), operation_id="getPluginSystemHealth")
    async def health(self, system: System) -> Response[shape.SystemHealth]:
        """The health of every enabled plugin."""
        return cast("Response[shape.SystemHealth]", Response(system.health(), media_type=JSON))

    @get(
        "/dependencies",
        opt=hkp_rule(Permission.READ, text="text/plain"),
        operation_id="getPluginDependencies",
    )
    async def graph(
        self, system: System, format: FromQuery[Literal["json", "dot", "mermaid"]] = "json"
    ) -> Response[shape.Dependencies]:
        """Who needs whom, as JSON or as text: `dot` is for Graphviz."""
        graph = system.graph()
        if format == "json":
            return Response(graph)
        text = as_dot(graph) if format == "dot" else as_mermaid(graph)
        said = Response(text, media_type="text/plain")
        return cast("Response[shape.Dependencies]", said)

    @post(
        "/reload",
        opt=hkp_rule(Permission.PLUGINS_WRITE, if_match=True, checks_plugin=True),
        operation_id="reloadNamedPlugin",
        status_code=200,
    )
    async def reload(self, request: Ask, system: System, plugin: Plugin = "") -> shape.Done:
        """The same as POST /plugins/{plugin}/reload."""
        return await HkpOperations(system, request).reload(plugin)

    @get("/config", opt=hkp_rule(Permission.READ), operation_id="getNamedPluginConfig")
    async def config(
        self, request: Ask, system: System, plugin: Plugin = ""
    ) -> Response[shape.PluginConfig]:
        """The same as GET /plugins/{plugin}/config."""
        if not plugin:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "name the plugin: ?plugin=<id>")
        said = system.config(plugin)
        return Response(said, headers=HkpOperations(system, request).tag(plugin))

    @put(
        "/config",
        opt=hkp_rule(Permission.CONFIG_WRITE, body=HkpConfig, if_match=True, checks_plugin=True),
        operation_id="putNamedPluginConfig",
    )
    async def configure(
        self, request: Ask, system: System, plugin: Plugin = ""
    ) -> Response[shape.Done]:
        """The same as PUT /plugins/{plugin}/config."""
        operations = HkpOperations(system, request)
        done = await operations.configure(plugin)
        return Response(done, headers=operations.tag(plugin))


class HkpPluginRoutes(Controller):
    """One plugin."""

    path = f"{PATH}/{{plugin:str}}"
    tags = ("plugin-management",)

    @get("/status", opt=hkp_rule(Permission.READ), operation_id="getPluginStatus")
    async def status(self, system: System, plugin: FromPath[str]) -> shape.PluginStatus:
        """All that is known of a plugin now."""
        return system.one(plugin)

    @get("/health", opt=hkp_rule(Permission.READ), operation_id="getPluginHealth")
    async def health(self, system: System, plugin: FromPath[str]) -> shape.OneHealth:
        """How a plugin is, over all workers."""
        return system.one_health(plugin)

    @get("/metrics", opt=hkp_rule(Permission.READ), operation_id="getPluginMetrics")
    async def metrics(self, system: System, plugin: FromPath[str]) -> shape.PluginMetrics:
        """A plugin's figures, and its traffic of the last minutes."""
        return system.one_metrics(plugin)

    @get("/config", opt=hkp_rule(Permission.READ), operation_id="getPluginConfig")
    async def config(
        self, request: Ask, system: System, plugin: FromPath[str]
    ) -> Response[shape.PluginConfig]:
        """The configuration in force, its schema and its versions."""
        said = system.config(plugin)
        return Response(said, headers=HkpOperations(system, request).tag(plugin))

    @put(
        "/config",
        opt=hkp_rule(Permission.CONFIG_WRITE, body=HkpConfig, if_match=True),
        operation_id="putPluginConfig",
    )
    async def configure(
        self, request: Ask, system: System, plugin: FromPath[str]
    ) -> Response[shape.Done]:
        """Give the plugin another configuration, in every worker. If-Match is heeded."""
        operations = HkpOperations(system, request)
        done = await operations.configure(plugin)
        return Response(done, headers=operations.tag(plugin))

    @post(
        "/config/validate",
        opt=hkp_rule(Permission.READ, body=HkpConfig),
        operation_id="validatePluginConfig",
        status_code=200,
    )
    async def validate(
        self, request: Ask, system: System, plugin: FromPath[str]
    ) -> shape.Validated:
        """Check a configuration without applying it; an invalid one is answered with 400."""
        return await HkpOperations(system, request).validate(plugin)

    @post(
        "/config/rollback",
        opt=hkp_rule(Permission.CONFIG_WRITE, body=HkpRollback, if_match=True),
        operation_id="rollbackPluginConfig",
        status_code=200,
    )
    async def rollback(self, request: Ask, system: System, plugin: FromPath[str]) -> shape.Done:
        """Go back to an earlier version of the configuration; without a body to the one before."""
        return await HkpOperations(system, request).rollback(plugin)

    @post(
        "/reload",
        opt=hkp_rule(Permission.PLUGINS_WRITE, if_match=True),
        operation_id="reloadManagedPlugin",
        status_code=200,
    )
    async def reload(self, request: Ask, system: System, plugin: FromPath[str]) -> shape.Done:
        """Start a fresh generation in every worker, and answer when all serve it."""
        return await HkpOperations(system, request).reload(plugin)

    @post(
        "/start",
        opt=hkp_rule(Permission.PLUGINS_WRITE, if_match=True),
        operation_id="startPlugin",
        status_code=200,
    )
    async def start(self, request: Ask, system: System, plugin: FromPath[str]) -> shape.Done:
        """Run a plugin that is disabled, failed or in quarantine."""
        return await HkpOperations(system, request).start(plugin)

    @post(
        "/stop",
        opt=hkp_rule(Permission.PLUGINS_WRITE, if_match=True),
        operation_id="stopPlugin",
        status_code=200,
    )
    async def stop(
        self,
        request: Ask,
        system: System,
        plugin: FromPath[str],
        force: FromQuery[bool] = False,
    ) -> shape.Done:
        """Stop a plugin. Refused while others need it, unless by `force`: they stop too."""
        return await HkpOperations(system, request).stop(plugin, force=force)


def hkp_router() -> Router:
    """Return the routes."""

    def provide(context: Use) -> HkpSystem:
        return HkpSystem(context)

    return Router(
        "/",
        route_handlers=[HkpRoutes, HkpPluginRoutes],
        dependencies={"system": Provide(provide, sync_to_thread=False)},
        exception_handlers={Exception: answer},
    )
