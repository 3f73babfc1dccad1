"""Where two JSON values differ, as JSON Pointers (RFC 6901)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from plugbay.sdk.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

DEPTH = 100
"""Levels of nesting that are compared one by one; what is deeper is compared as one value. The
redactor looks deeper, so what it returns has the same form as far as here."""
MOST = 1000
"""Differences at most."""
ABSENT: Final = object()
"""What a member is that is not there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place, and what was there and is there now: a JSON value without secrets, or `ABSENT`."""

    pointer: str
    recorded: Any
    now: Any

    def plain(self) -> dict[str, Any]:
        """Return it as plain values; what is absent has no member."""
        sides = {"recorded": self.recorded, "now": self.now}
        here = {name: value for name, value in sides.items() if value is not ABSENT}
        return {"pointer": self.pointer, **here}


def differences(recorded: Any, now: Any) -> list[Difference]:
    """Return the innermost places where two values differ.

    Numbers are equal by their value; a truth value is no number.
    """
    paths = list(islice(_paths((), recorded, now), MOST))
    if not paths:
        return []
    clean = Redactor()
    then, later = clean.value(recorded)[0], clean.value(now)[0]
    return [Difference(_pointer(path), _at(then, path), _at(later, path)) for path in paths]


def _paths(path: Path, one: Any, other: Any) -> Iterator[Path]:
    deep = len(path) >= DEPTH
    if not deep and _is_object(one) and _is_object(other):
        for key in dict.fromkeys((*one, *other)):
            yield from _paths((*path, key), one.get(key, ABSENT), other.get(key, ABSENT))
    elif not deep and _is_array(one) and _is_array(other):
        for place, pair in enumerate(zip_longest(one, other, fillvalue=ABSENT)):
            yield from _paths((*path, place), *pair)
    elif isinstance(one, bool) is not isinstance(other, bool) or one != other:
        yield path


def _at(value: Any, path: Path) -> Any:
    for token in path:
        if _is_array(value):
            value = value[token] if isinstance(token, int) and token < len(value) else ABSENT
        else:
            value = value.get(token, ABSENT)
    return value


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _pointer(path: Path) -> str:
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in path)
