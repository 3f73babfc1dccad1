"""Every way in which plain data differs from a dataclass, at once.

The kernel's `convert` stops at the first wrong value; an author wants to see them all.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import TYPE_CHECKING, Any, cast

from plugbay.artifacts._finding import Finding
from plugbay.kernel import Invalid, convert, pointer_token

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 2**31 - 1


def shape_problems(raw: dict[str, Any], type_: type[Any], at: str) -> Iterator[Finding]:
    """Yield a finding for each unknown key, missing key and wrong value, at any depth."""
    hints = typing.get_type_hints(type_)
    for key in raw.keys() - hints.keys():
        close = difflib.get_close_matches(key, hints, n=1)
        yield Finding(
            f"{at}/{pointer_token(key)}",
            f"unknown key {key!r}",
            expected=f"one of {', '.join(hints)}",
            found=key,
            remedy=f"did you mean {close[0]!r}?" if close else "remove it",
        )
    for field in dataclasses.fields(type_):
        pointer = f"{at}/{field.name}"
        if field.name in raw:
            yield from _of_value(raw[field.name], hints[field.name], pointer)
        elif field.default is field.default_factory is dataclasses.MISSING:
            yield Finding(pointer, f"the key {field.name!r} is missing", remedy="add it")


def _of_value(value: object, hint: Any, at: str) -> Iterator[Finding]:
    table = _table(value, hint)
    if table is not None:
        yield from shape_problems(table, hint, at)
        return
    if isinstance(value, int) and abs(value) > _LARGEST:
        yield Finding(at, "out of range", expected=f"at most {_LARGEST}", found="a huge number")
        return
    try:
        convert(value, hint, what=at)
    except Invalid as error:
        for problem in error.problems:
            yield Finding(
                at + problem.pointer,
                problem.detail,
                expected=_allowed(hint),
                found=_shown(value),
                remedy="correct the value",
            )


def _table(value: object, hint: Any) -> dict[str, Any] | None:
    """Return the value as a table if that is what it is and what is wanted."""
    wanted = isinstance(hint, type) and dataclasses.is_dataclass(hint)
    return cast("dict[str, Any]", value) if wanted and isinstance(value, dict) else None


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except ValueError:  # a number too long to be written
        return type(value).__name__


def _allowed(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    return str(getattr(hint, "__name__", hint) if isinstance(hint, type) else hint)
