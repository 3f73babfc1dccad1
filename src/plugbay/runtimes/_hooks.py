"""Binds a plugin's hooks, so that a request calls the author's function and nothing in between."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Hook
from plugbay.runtimes._capabilities import inherited, overrides
from plugbay.runtimes._signatures import is_coroutine

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Plugin


def bind_hooks(plugin: Plugin[Any]) -> dict[str, Hook]:
    """Return the hooks that a plugin overrides; `app` only once it is set."""
    cls = type(plugin)
    hooks: dict[str, Hook] = {}
    for spec in inherited(cls):
        if spec.name == "stateful":
            continue  # not called by requests
        for hook in spec.hooks:
            if overrides(cls, spec, hook) or hook.name in getattr(plugin, "__dict__", ()):
                hooks[hook.name] = _hook(getattr(plugin, hook.name), hook.kind)
    return hooks


def _hook(call: Callable[..., Any], kind: str) -> Hook:
    if kind == "stream":
        return Hook(call, coroutine=False)
    if is_coroutine(call):
        return Hook(call, coroutine=True)
    if is_coroutine(inspect.unwrap(call)) or _may_return_awaitable(call):
        return Hook(_awaited(call), coroutine=True)
    return Hook(call, coroutine=False)


def _may_return_awaitable(call: Callable[..., Any]) -> bool:
    """Return whether its annotation says so: an sdk hook may be a `def` that returns one."""
    said = getattr(call, "__annotations__", {}).get("return", "")
    return any(word in str(said) for word in ("Awaitable", "Coroutine", "Future", "Task["))


def _awaited(call: Callable[..., Any]) -> Callable[..., Any]:
    async def hook(*args: Any) -> Any:
        result = call(*args)
        return await result if inspect.isawaitable(result) else result

    # Whoever asks a hook for its plugin's class attributes finds it as with a bound method.
    vars(hook)["__self__"] = getattr(call, "__self__", None)
    return hook
