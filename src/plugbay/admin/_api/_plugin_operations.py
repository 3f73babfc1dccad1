"""Operations of running plugins: what they answer to administrators."""

from typing import Any

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, Use, read_limited, rule
from plugbay.kernel import Malformed

LISTING = ""
"""The name of the question which operations there are."""


class PluginOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a plugin. What `changes` something is asked by POST, the rest by GET."""

    name: str
    summary: str
    changes: bool


class PluginOperationList(msgspec.Struct, frozen=True):
    """The operations of a plugin."""

    items: list[PluginOperation]


class PluginArguments(msgspec.Struct, frozen=True):
    """The arguments of an operation: any JSON object, as the operation wants it."""


class PluginAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What each worker's plugin has answered, and in `failed` what went wrong in others."""

    plugin: str
    operation: str
    workers: dict[str, dict[str, Any]]
    failed: dict[str, str]


class PluginOperationRoutes(Controller):
    """Operations of plugins."""

    path = "/plugins/{plugin:str}/operations"
    tags = ("plugins",)

    @get("/", opt=rule(Permission.READ), operation_id="listPluginOperations")
    async def list(self, context: Use, plugin: FromPath[str]) -> PluginOperationList:
        """What may be asked of the plugin. Not found if it does not run, or answers nothing."""
        answers = await _ask(context, plugin, LISTING, {}, changes=False)
        first = next(iter(answers.workers.values()))
        return msgspec.convert(first, PluginOperationList)

    @get("/{name:str}", opt=rule(Permission.READ), operation_id="askPlugin")
    async def ask(
        self, request: Ask, context: Use, plugin: FromPath[str], name: FromPath[str]
    ) -> PluginAnswers:
        """Ask every worker what changes nothing; the query's parameters are the arguments."""
        arguments = dict(request.query_params.items())
        return await _ask(context, plugin, name, arguments, changes=False)

    @post(
        "/{name:str}",
        opt=rule(Permission.PLUGINS_WRITE, body=PluginArguments),
        operation_id="operatePlugin",
        status_code=200,
    )
    async def operate(
        self, request: Ask, context: Use, plugin: FromPath[str], name: FromPath[str]
    ) -> PluginAnswers:
        """Carry an operation out in every worker; the body has the arguments, an object."""
        arguments = await _arguments(request, context)
        return await _ask(context, plugin, name, arguments, changes=True)


async def _ask(
    context: Use, plugin: str, name: str, arguments: dict[str, Any], *, changes: bool
) -> PluginAnswers:
    services = context.services
    if plugin not in services.control.desired.plugins:
        raise context.no_plugin(plugin)
    answers = await services.operations.ask(plugin, name, arguments, changes=changes)
    return PluginAnswers(
        plugin=plugin, operation=name, workers=answers.workers, failed=answers.failed
    )


async def _arguments(request: Ask, context: Use) -> dict[str, Any]:
    raw = await read_limited(request, context.options.max_body)
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no JSON object: {error}") from None
