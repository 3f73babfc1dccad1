"""Says in words what keeps an object alive, by going from referrer to referrer.

Each step looks through the whole heap. It is done only for what has leaked already.
"""

from __future__ import annotations

import gc
import types
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from plugbay.runtimes._alias import belongs, own_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OURS = (__name__, "plugbay.runtimes._audit")
_DEPTH = 8
_WIDTH = 400
_UNSEEN = "nothing that the garbage collector sees: a running function, or native code"
_SUSPENDED = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def name_holder(target: object, alias: str) -> str:
    """Return what outside the generation holds `target`, e.g. `json.dumps → an item of a list`."""
    seen = {id(target)}
    level: list[tuple[object, str]] = [(target, "")]
    deepest = ""
    for _ in range(_DEPTH):
        following: list[tuple[object, str]] = []
        for referrer, held, path in _referrers(level, seen):
            said = _join(_step(referrer, held), path)
            end = _outside(referrer, held, alias)
            if end:
                return own_name(_join(end, path))
            following.append((referrer, said))
        if not following:
            break
        deepest = following[0][1]
        level = following[:_WIDTH]
    return own_name(_join(_UNSEEN, deepest))


def _referrers(
    level: list[tuple[object, str]], seen: set[int]
) -> Iterator[tuple[object, object, str]]:
    """Yield each new referrer of a level with what it refers to, and the words so far."""
    wanted = {id(held): (held, path) for held, path in level}
    found = gc.get_referrers(*(held for held, _ in level))
    ours = {id(found), id(level), id(wanted), *map(id, wanted.values()), *map(id, level)}
    for referrer in found:
        if id(referrer) in seen or id(referrer) in ours or _is_ours(referrer):
            continue
        seen.add(id(referrer))
        for part in gc.get_referents(referrer):
            if id(part) in wanted:
                yield (referrer, *wanted[id(part)])
                break


def _is_ours(referrer: object) -> bool:
    """Return whether it is a frame or generator of this very search, or of the audit."""
    frame = referrer
    if isinstance(referrer, types.GeneratorType):
        frame = referrer.gi_frame
    return isinstance(frame, types.FrameType) and frame.f_globals.get("__name__") in _OURS


def _outside(referrer: object, held: object, alias: str) -> str:
    """Return the words for a referrer outside the generation that needs no further reason."""
    if isinstance(referrer, types.ModuleType):
        return "" if belongs(referrer.__name__, alias) else f"module {referrer.__name__}"
    if isinstance(referrer, type):
        name = f"class {referrer.__module__}.{referrer.__qualname__}"
        return "" if belongs(referrer.__module__, alias) else name + _attribute(referrer, held)
    if isinstance(referrer, types.FrameType):
        code = referrer.f_code
        return f"a call of {code.co_qualname} ({code.co_filename}, line {referrer.f_lineno})"
    if isinstance(referrer, _SUSPENDED):
        kind = type(cast("object", referrer)).__name__
        return f"{kind} {referrer.__qualname__} that has not ended"
    return ""


def _step(referrer: object, held: object) -> str:
    """Return the words for one step on the way."""
    if isinstance(referrer, dict):
        return _key(cast("dict[object, object]", referrer), held)
    if isinstance(referrer, (list, tuple, set, frozenset, deque)):
        return f"an item of a {type(cast('object', referrer)).__name__}"
    if isinstance(referrer, types.FunctionType):
        return f"function {referrer.__qualname__}"
    if isinstance(referrer, types.MethodType):
        return f"method {referrer.__func__.__qualname__}"
    kind = type(referrer)
    return f"a {kind.__module__}.{kind.__qualname__}{_attribute(referrer, held)}"


def _key(mapping: dict[object, object], held: object) -> str:
    for key, value in tuple(mapping.items()):
        if value is held:
            return f"[{str(key)[:80]}]"
    return "a key of a dict"


def _attribute(owner: object, held: object) -> str:
    """Return `.name` of the attribute that holds it, if it is found."""
    try:
        names: Iterable[tuple[str, Any]] = tuple(vars(owner).items())
    except TypeError:
        return ""
    return next((f".{name}" for name, value in names if value is held), "")


def _join(first: str, rest: str) -> str:
    if rest.startswith("[") and first.startswith(("module ", "class ")):
        name, _, further = rest[1:].partition("]")
        return f"{first}.{name}{further}"
    return f"{first} → {rest}" if rest else first
