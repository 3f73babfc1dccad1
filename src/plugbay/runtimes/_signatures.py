"""Hooks are checked before any request meets them: there, can be called so, and of the right kind.

`isinstance` cannot tell a wrong signature, and a type checker may not have been run.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import Problem
from plugbay.runtimes._capabilities import COMMON, inherited, overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugbay.runtimes._capabilities import CapabilitySpec, HookSpec
    from plugbay.sdk import Manifest

_KINDS = {
    "either": "a function or a coroutine function (`def` or `async def` without `yield`)",
    "plain": "a plain function (`def` without `yield`)",
    "coroutine": "a coroutine function (`async def` without `yield`)",
    "stream": "an async generator (`async def` with `yield`), or a plain function that returns one",
}


def hook_problems(cls: type[Any], manifest: Manifest) -> Iterator[Problem]:
    """Yield everything that is wrong with a plugin's hooks and with what it says it provides."""
    specs = inherited(cls)
    yield from _provides(specs, manifest)
    for hook in COMMON:
        yield from _hook(cls, hook)
    for spec in specs:
        own = [hook for hook in spec.hooks if overrides(cls, spec, hook)]
        for hook in own:
            yield from _hook(cls, hook)
        yield from _missing(cls, spec, own)


def is_coroutine(function: object) -> bool:
    """Return whether calling it gives a coroutine."""
    call = getattr(type(function), "__call__", None)  # noqa: B004 -- wanted: its kind, not whether
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _provides(specs: tuple[CapabilitySpec, ...], manifest: Manifest) -> Iterator[Problem]:
    said, inherits = set(manifest.provides), {spec.name for spec in specs}
    if said != inherits:
        yield Problem(
            "/provides",
            "it is not what the class inherits",
            expected=", ".join(sorted(inherits)) or "nothing",
            found=", ".join(sorted(said)) or "nothing",
            remedy=f"write provides = {sorted(inherits)!r} in plugbay.toml".replace("'", '"')
            if inherits
            else "inherit a capability, e.g. class Hello(Plugin[Config], RequestFilter)",
        )


def _missing(cls: type[Any], spec: CapabilitySpec, own: list[HookSpec]) -> Iterator[Problem]:
    if spec.name == "asgi-app" or (own and not spec.all_required):
        return  # `app` may be set in `start`; then it is looked for after that
    missing = [hook for hook in spec.hooks if hook not in own]
    if missing:
        joined = (" and " if spec.all_required else " or ").join(map(_shape, missing))
        detail = f"{cls.__name__} inherits {spec.base.__name__} and does not define its hook"
        yield Problem("load", detail, expected=joined, found="nothing", remedy="define it")


def _hook(cls: type[Any], hook: HookSpec) -> Iterator[Problem]:
    static: object = inspect.getattr_static(cls, hook.name, None)
    if isinstance(static, property):
        return
    where = f"{cls.__name__}.{hook.name}"
    bound = isinstance(static, (classmethod, FunctionType))
    function: object = getattr(cast("Any", static), "__func__", static)
    if not callable(function):
        found = type(static).__name__
        yield Problem("load", f"{where} is no function", _shape(hook), found, "define it by `def`")
        return
    found = _signature(function)
    if not _callable_so(function, len(hook.parameters) + bound):
        detail = f"{where} cannot be called with ({', '.join(hook.parameters)})"
        yield Problem("load", detail, _shape(hook), f"{hook.name}{found}", "correct its parameters")
    elif _swapped(function, hook, bound):
        detail = f"{where} takes its parameters in another order than it is given them"
        yield Problem("load", detail, _shape(hook), f"{hook.name}{found}", "change their order")
    kind = _kind(inspect.unwrap(function))
    if kind not in _allowed(hook.kind):
        detail = f"{where} is {_name(kind)}"
        yield Problem("load", detail, _KINDS[hook.kind], _name(kind), _remedy(hook.kind, kind))


def _callable_so(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True  # a function without a signature, in C; the trial will call it
    return True


def _swapped(function: Callable[..., Any], hook: HookSpec, bound: bool) -> bool:
    """Return whether the names are the SDK's and their order is not: surely a mistake."""
    names = tuple(_parameters(function))[bound:]
    return names != hook.parameters and sorted(names) == sorted(hook.parameters)


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:
        return []


def _signature(function: Callable[..., Any]) -> str:
    return f"({', '.join(_parameters(function))})"


def _kind(function: object) -> str:
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "coroutine" if is_coroutine(function) else "plain"


def _allowed(kind: str) -> tuple[str, ...]:
    return {
        "either": ("plain", "coroutine"),
        "plain": ("plain",),
        "coroutine": ("coroutine",),
        "stream": ("plain", "async generator"),
    }[kind]


def _name(kind: str) -> str:
    names = {"coroutine": "a coroutine function", "plain": "a plain function"}
    return names.get(kind, f"an {kind}" if kind.startswith("a") else f"a {kind}")


def _remedy(wanted: str, kind: str) -> str:
    if wanted == "stream":
        if kind == "generator":
            return "write `async def`, and `async for chunk in chunks: yield chunk`"
        return "use `yield` in it, e.g. `async for chunk in chunks: yield chunk`"
    if wanted == "coroutine":
        return "write `async def`" if kind == "plain" else "return instead of `yield`"
    return "write `def`" if wanted == "plain" and kind == "coroutine" else "return, do not `yield`"


def _shape(hook: HookSpec) -> str:
    prefix = "async def" if hook.kind == "coroutine" else "def"
    return f"{prefix} {hook.name}({', '.join(('self', *hook.parameters))})"
