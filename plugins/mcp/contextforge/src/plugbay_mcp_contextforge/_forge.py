"""The framework of ContextForge, run by its own parts: its loader, registry and executor."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from plugbay.sdk import Block

from ._entries import Need, short
from ._payloads import WRITABLE

if TYPE_CHECKING:
    from ._entries import Entry

_REFUSED, _TOO_MUCH = 40301, 42901
_TOO_MANY_REQUESTS = 429


class Forge:
    """The plugins that run, and the calls of their hooks."""

    def __init__(self, framework: Any, seconds: int) -> None:
        policies = importlib.import_module("cpex.framework.hooks.policies")
        manager = importlib.import_module("cpex.framework.manager")
        registry = importlib.import_module("cpex.framework.registry")
        loader = importlib.import_module("cpex.framework.loader.plugin")
        self._executor: Any = manager.PluginExecutor(
            timeout=seconds,
            hook_policies={
                hook: policies.HookPayloadPolicy(writable_fields=frozenset(fields))
                for hook, fields in WRITABLE.items()
            },
            default_hook_policy="deny",
        )
        self._registry: Any = registry.PluginInstanceRegistry()
        self._loader: Any = loader.PluginLoader()
        self._context: Any = framework.GlobalContext
        self._behind: set[asyncio.Task[Any]] = set()

    async def load(self, entry: Entry) -> Need | None:
        """Start a plugin; return what it lacks if it does not start."""
        try:
            plugin = await self._loader.load_and_instantiate_plugin(entry.config)
            self._registry.register(plugin, trusted_config=entry.config)
        except Exception as error:  # noqa: BLE001 - the plugin's own code: whatever it raises is told
            return Need(entry.name, f"it does not start: {short(error)}")
        return None

    def has(self, hook: str) -> bool:
        """Whether a plugin has this hook."""
        return bool(self._registry.has_hooks_for(hook))

    def context(self, **facts: Any) -> Any:
        """Return the context of a request and its response, which all plugins share."""
        return self._context(**facts)

    async def call(
        self, hook: str, context: Any, local: dict[str, Any], payload: Any, *, as_error: bool
    ) -> Any:
        """Pass a payload through the plugins; return a block, the changed payload, or None.

        What the plugins keep for the response goes into `local`. Raises the framework's errors: a
        plugin failed whose `on_error` is `fail`.
        """
        hooks = self._registry.get_hook_refs_for_hook(hook_type=hook)
        result, kept = await self._executor.execute(hooks, payload, context, hook, local)
        local.update(kept or {})
        for task in result.background_tasks:
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)
        if not result.continue_processing:
            return block_of(result.violation, as_error=as_error)
        return result.modified_payload

    async def close(self) -> None:
        """End every plugin."""
        for task in self._behind:
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)
        await self._registry.shutdown()


def block_of(violation: Any, *, as_error: bool) -> Block:
    """Return what a violation is to the client; codes that MCP keeps for itself are not used."""
    if violation is None:
        return Block("a plugin of ContextForge has stopped it", as_error=as_error)
    texts = (violation.reason, violation.description)
    reason = ": ".join(dict.fromkeys(text for text in texts if text)) or "not allowed"
    much = violation.http_status_code == _TOO_MANY_REQUESTS
    own = violation.mcp_error_code
    usual = _TOO_MUCH if much else _REFUSED
    code = own if own is not None and own > 0 else usual
    said: dict[str, str] = violation.http_headers or {}
    fields = {name.lower(): value for name, value in said.items()}
    wait = fields.get("retry-after", "")
    seconds = float(wait) if wait.isdecimal() else None
    return Block(reason, code, violation.code or "policy", seconds, as_error)
