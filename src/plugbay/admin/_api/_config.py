"""The configuration of plugins and its versions."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, get, post, put
from litestar.params import FromPath, FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._changes import changing, make_change, tag_of
from plugbay.admin._http import Ask, Use, read_body, rule
from plugbay.admin._schema import check_config
from plugbay.admin._views import OperationView, Page, page_of
from plugbay.control import Configure, Rollback
from plugbay.kernel import ConfigVersion, Difference, NotFound, diff


class ConfigWish(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration. Secrets are references: `${secret:name}` or `${env:NAME}`."""

    config: dict[str, Any]
    comment: str = ""


class ConfigTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration to be checked, for the version that is wanted now or for `digest`."""

    config: dict[str, Any]
    digest: str = ""


class ConfigBack(msgspec.Struct, frozen=True, kw_only=True):
    """The version to go back to. It becomes the content of a new version."""

    version: int
    comment: str = ""


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration in force, and the schema it must fit (JSON Schema 2020-12)."""

    plugin: str
    version: int
    config: dict[str, Any]
    config_schema: dict[str, Any] | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration is valid; `differences` from the one in force."""

    valid: bool
    differences: list[Difference]


class DifferenceList(msgspec.Struct, frozen=True, kw_only=True):
    """What is different in version `new`, seen from version `old`."""

    old: int
    new: int
    differences: list[Difference]


class ConfigRoutes(Controller):
    """Configuration: validated, versioned, and rolled back."""

    path = "/plugins/{plugin:str}/config"
    tags = ("config",)

    @get("/", opt=rule(Permission.READ), operation_id="getConfig")
    async def current(self, context: Use, plugin: FromPath[str]) -> Response[ConfigView]:
        """The configuration in force. References are shown as they are, never resolved."""
        spec = _spec(context, plugin)
        view = ConfigView(
            plugin=plugin,
            version=spec.config_version,
            config=spec.config,
            config_schema=context.services.artifacts.get(spec.digest).config_schema,
        )
        tag = tag_of(context.services.control.desired, f"plugins/{plugin}")
        return Response(view, headers={"etag": tag or ""})

    @changing(put, "/", Permission.CONFIG_WRITE, "putConfig", body=ConfigWish)
    async def put(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Give the plugin another configuration: a new version, and a swap to it."""
        wish = await read_body(request, ConfigWish, limit=context.options.max_body, what="config")
        artifact = context.services.artifacts.get(_spec(context, plugin).digest)
        check_config(artifact.config_schema, wish.config)
        change = Configure(plugin=plugin, config=wish.config, comment=wish.comment)
        return await make_change(request, context, change, key=f"plugins/{plugin}", must_match=True)

    @post(
        "/validate",
        opt=rule(Permission.READ, body=ConfigTrial),
        operation_id="validateConfig",
        status_code=200,
    )
    async def validate(self, request: Ask, context: Use, plugin: FromPath[str]) -> Verdict:
        """Check a configuration without applying it; an invalid one is answered with 422."""
        wish = await read_body(request, ConfigTrial, limit=context.options.max_body, what="config")
        spec = context.services.control.desired.plugins.get(plugin)
        digest = wish.digest or _spec(context, plugin).digest
        check_config(context.services.artifacts.get(digest).config_schema, wish.config)
        old = spec.config if spec else {}
        return Verdict(valid=True, differences=list(diff(old, wish.config)))

    @get("/versions", opt=rule(Permission.READ), operation_id="listConfigVersions")
    async def versions(
        self,
        context: Use,
        plugin: FromPath[str],
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
        offset: Annotated[int, QueryParameter(name="next", ge=0)] = 0,
    ) -> Page[ConfigVersion]:
        """The versions, the newest first."""
        return page_of(list(reversed(_versions(context, plugin))), offset, limit)

    @get("/versions/{number:int}/diff", opt=rule(Permission.READ), operation_id="diffConfig")
    async def differences(
        self,
        context: Use,
        plugin: FromPath[str],
        number: FromPath[int],
        to: FromQuery[int | None] = None,
    ) -> DifferenceList:
        """What is different in version `to`, by default the one in force, from this version."""
        versions = {version.version: version for version in _versions(context, plugin)}
        new = to if to is not None else _spec(context, plugin).config_version
        for wanted in (number, new):
            if wanted not in versions:
                raise NotFound(f"{plugin} has no config version {wanted}")
        found = diff(versions[number].config, versions[new].config)
        return DifferenceList(old=number, new=new, differences=list(found))

    @changing(post, "/rollback", Permission.CONFIG_WRITE, "rollbackConfig", body=ConfigBack)
    async def rollback(
        self, request: Ask, context: Use, plugin: FromPath[str]
    ) -> Response[OperationView]:
        """Go back to an old version of the configuration alone."""
        wish = await read_body(request, ConfigBack, limit=context.options.max_body, what="rollback")
        versions = {version.version: version for version in _versions(context, plugin)}
        if wish.version not in versions:
            raise NotFound(f"{plugin} has no config version {wish.version}")
        artifact = context.services.artifacts.get(_spec(context, plugin).digest)
        check_config(artifact.config_schema, versions[wish.version].config)
        change = Rollback(plugin=plugin, config_version=wish.version, comment=wish.comment)
        return await make_change(request, context, change, key=f"plugins/{plugin}")


def _spec(context: Use, plugin: str) -> Any:
    spec = context.services.control.desired.plugins.get(plugin)
    if spec is None:
        raise context.no_plugin(plugin)
    return spec


def _versions(context: Use, plugin: str) -> list[ConfigVersion]:
    versions = context.services.configs.configs(plugin)
    if not versions:
        raise context.no_plugin(plugin)
    return versions
