"""The plugins that a configuration of ContextForge names, and what each of them needs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOOKS = frozenset(
    (
        "tool_pre_invoke",
        "tool_post_invoke",
        "prompt_pre_fetch",
        "prompt_post_fetch",
        "resource_pre_fetch",
        "resource_post_fetch",
    )
)
"""What is called here."""
_ELSEWHERE = ("agent_", "llm_", "cmf.llm_")
"""Hooks of traffic that there is none of: they are never called, and nothing gets past them."""
_KINDS = {
    "external": "it needs a server of its own (kind external): use its package instead",
    "isolated_venv": "it needs an environment of its own (kind isolated_venv): lock its package",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One plugin of the configuration, and the framework's own form of it."""

    name: str
    config: Any


@dataclass(frozen=True, slots=True)
class Need:
    """Why one plugin cannot run here: what it needs and does not get."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def read_entries(plugins: Sequence[Mapping[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the plugins that are not disabled. Raises `ValueError`."""
    found: list[object] = [dict(plugin) for plugin in plugins]
    if text:
        found += _parsed(text)
    entries: list[dict[str, Any]] = []
    for number, one in enumerate(found):
        if not isinstance(one, dict):
            raise ValueError(f"plugins[{number}] is no table")
        entry = cast("dict[str, Any]", one)
        if entry.get("mode") != "disabled":
            entries.append(entry)
    names = [str(entry.get("name")) for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError("two plugins have the same name")
    return entries


def _parsed(text: str) -> list[object]:
    if "{{" in text or "{%" in text:
        raise ValueError("yaml has a template ({{ … }}), and there are no variables: say the value")
    yaml: Any = importlib.import_module("yaml")
    try:
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"yaml cannot be read: {error}") from None
    plugins: object = (
        cast("dict[str, object]", document).get("plugins") if isinstance(document, dict) else None
    )
    if not isinstance(plugins, list):
        raise ValueError("yaml has no list `plugins`")
    return cast("list[object]", plugins)


def examine(raw: Mapping[str, Any], framework: Any, tenant: str) -> Entry | Need:
    """Return a plugin that can be run here, or the first thing it needs and does not get."""
    name = str(raw.get("name") or "a plugin without a name")
    if raw.get("kind") in _KINDS:
        return Need(name, _KINDS[raw["kind"]])
    try:
        config: Any = framework.PluginConfig(**raw)
    except ValueError as error:  # pydantic's is one
        return Need(name, f"its configuration is wrong: {short(error)}")
    reason = next(_reasons(config, tenant), "")
    return Need(name, reason) if reason else Entry(name, config)


def unheard(config: Any) -> list[str]:
    """Return the hooks of a plugin that are never called, because there is no such traffic."""
    return [hook for hook in config.hooks if hook.startswith(_ELSEWHERE)]


def _reasons(config: Any, tenant: str) -> Iterator[str]:
    if not config.hooks:
        yield "it needs hooks, and names none"
    for hook in config.hooks:
        if hook not in HOOKS and not hook.startswith(_ELSEWHERE):
            yield f"it needs the hook {hook}, which is not called here"
    if config.capabilities:
        names = ", ".join(sorted(config.capabilities))
        yield f"it needs extensions ({names}), of which there are none here"
    for condition in config.conditions:
        if condition.tenant_ids and not tenant:
            yield "it needs a tenant for its condition tenant_ids: set `tenant`"
    yield from _imports(config.kind)


def _imports(kind: str) -> Iterator[str]:
    module, _, attribute = kind.rpartition(".")
    try:
        if not hasattr(importlib.import_module(module), attribute):
            yield f"it needs the class {attribute}, which {module} does not have"
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
        if missing.partition(".")[0] == "mcpgateway":
            yield f"it needs {missing}, a part of ContextForge's gateway, which is not here"
        else:
            yield f"it needs the package {missing}: add its distribution to plugbay.lock"
    except Exception as error:  # noqa: BLE001 - the plugin's own code: whatever it raises is told
        yield f"it cannot be imported: {short(error)}"


def short(error: BaseException) -> str:
    """Say in a line what was raised."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
