"""Runs plugins of ContextForge (`cpex`) as they are, in an environment apart from the gateway's."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from plugbay.sdk import Block, McpFilter, Message, Plugin

from ._entries import Entry, Need, examine, read_entries, unheard
from ._forge import Forge
from ._payloads import Payloads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Id = int | float | str | None
    Contexts = tuple[Any, dict[str, Any]]

_KEY = "contextforge"
_REQUESTS = 1024
"""Requests of a session whose contexts are kept for their responses."""


@dataclass(frozen=True, slots=True)
class Config:
    """Which plugins, and what they are told."""

    plugins: tuple[dict[str, Any], ...] = ()
    """As the list `plugins` of ContextForge's own configuration."""
    yaml: str = ""
    """That configuration as text; its plugins come behind those of `plugins`."""
    unsupported: Literal["refuse", "leave-out"] = "refuse"
    """What is done with plugins that need more than there is: nothing starts, or the others do."""
    tenant: str = ""
    """The tenant that all requests belong to."""
    headers: tuple[str, ...] = ()
    """Header fields that plugins may see; none unless they are named."""
    seconds: int = 4
    """How long each plugin may take for a hook."""
    as_error: bool = False
    """Answer a refused tool call by an error instead of a result with `isError`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be read. Raises `ValueError`."""
        if self.plugins:
            read_entries(self.plugins, "")
        if self.seconds < 1:
            raise ValueError("seconds is at least 1")


class ContextForge(Plugin[Config], McpFilter):
    """Calls their hooks for tools, prompts and resources, and does what they say."""

    _forge: Forge | None = None
    _payloads: Payloads

    async def start(self) -> None:
        """Load the plugins. Raises `ValueError`, which names each that needs more than there is."""
        config = self.config
        entries = read_entries(config.plugins, config.yaml)
        if not entries:
            self.host.log.warning("no plugin is configured: everything passes")
            return
        framework: Any = importlib.import_module("cpex.framework")
        utilities: Any = importlib.import_module("cpex.framework.utils")
        shown = tuple(name.lower() for name in config.headers)
        self._payloads = Payloads(framework, utilities, shown)
        self._forge = forge = Forge(framework, config.seconds)
        needs: list[Need] = []
        for raw in entries:
            found = examine(raw, framework, config.tenant)
            lacking = found if isinstance(found, Need) else await forge.load(found)
            if lacking is not None:
                needs.append(lacking)
            elif isinstance(found, Entry):
                self._greet(found)
        self._report(needs)

    async def stop(self) -> None:
        """End the plugins."""
        if self._forge is not None:
            await self._forge.close()

    def _greet(self, entry: Entry) -> None:
        self.host.log.info("%s runs, mode %s", entry.name, entry.config.mode)
        for hook in unheard(entry.config):
            self.host.log.warning("%s: %s is never called: no such traffic", entry.name, hook)

    def _report(self, needs: list[Need]) -> None:
        if not needs:
            return
        if self.config.unsupported == "refuse":
            raise ValueError("; ".join(map(str, needs)))
        for need in needs:
            self.host.log.error("left out: %s", need)

    # --- hooks

    async def on_tool_call(self, message: Message) -> Message | Block | None:
        """`tool_pre_invoke`."""
        return await self._pass("tool_pre_invoke", message, Payloads.tool_call, Payloads.called)

    async def on_tool_result(self, message: Message) -> Message | Block | None:
        """`tool_post_invoke`."""
        return await self._pass("tool_post_invoke", message, Payloads.tool_result, Payloads.result)

    async def on_prompt(self, message: Message) -> Message | Block | None:
        """`prompt_pre_fetch`, and `prompt_post_fetch`."""
        if message.kind == "request":
            hook = "prompt_pre_fetch"
            return await self._pass(hook, message, Payloads.prompt, Payloads.prompt_asked)
        hook = "prompt_post_fetch"
        return await self._pass(hook, message, Payloads.prompt_result, Payloads.result)

    async def on_resource(self, message: Message) -> Message | Block | None:
        """`resource_pre_fetch`, and `resource_post_fetch` for each of the contents."""
        if message.kind == "request":
            hook = "resource_pre_fetch"
            return await self._pass(hook, message, Payloads.resource, Payloads.resource_asked)
        return await self._contents(message)

    async def _pass(
        self,
        hook: str,
        message: Message,
        give: Callable[[Payloads, Message], Any],
        make: Callable[[Payloads, Message, Any], Message],
    ) -> Message | Block | None:
        """Give the plugins a message, and return what they make of it."""
        call = self._begin(hook, message)
        if call is None:
            return None
        verdict = await call(give(self._payloads, message))
        if verdict is None or isinstance(verdict, Block):
            return verdict
        return make(self._payloads, message, verdict)

    async def _contents(self, message: Message) -> Message | Block | None:
        call = self._begin("resource_post_fetch", message)
        if call is None:
            return None
        contents: list[Any] = list(message.result.get("contents", ()))
        changed = False
        for place, item in enumerate(contents):
            verdict = await call(self._payloads.content(item))
            if isinstance(verdict, Block):
                return verdict
            if verdict is not None:
                contents[place], changed = self._payloads.fetched(item, verdict), True
        return message.replace(result={**message.result, "contents": contents}) if changed else None

    def _begin(self, hook: str, message: Message) -> Callable[[Any], Awaitable[Any]] | None:
        """Return what calls a hook in the context of its request; None if no plugin has it."""
        forge = self._forge
        if forge is None:
            return None
        context, local = self._contexts(forge, message)
        if not forge.has(hook):
            return None
        return partial(forge.call, hook, context, local, as_error=self.config.as_error)

    def _contexts(self, forge: Forge, message: Message) -> Contexts:
        """Return the context that a request and its response share, and what plugins keep there."""
        session = message.session
        known: dict[Id, Contexts] = session.state.setdefault(_KEY, {})
        if message.kind != "request" and message.id in known:
            return known.pop(message.id)
        headers = message.headers
        context = forge.context(
            request_id=headers.get("x-request-id") or f"{session.id}-{message.id}",
            user=session.identity or None,
            tenant_id=self.config.tenant or None,
            server_id=session.server or None,
            content_type=headers.get("content-type"),
        )
        made: Contexts = (context, {})
        if message.kind == "request":
            while len(known) >= _REQUESTS:
                known.pop(next(iter(known)))
            known[message.id] = made
        return made
