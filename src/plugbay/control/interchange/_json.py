"""Careful steps through JSON that somebody else has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


def table(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list; none for anything else."""
    return [cast("Mapping[str, Any]", one) for one in listed(value) if isinstance(one, dict)]


def listed(value: object) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return [*value] if isinstance(value, list) else []


def mentions(value: object, keys: frozenset[str]) -> bool:
    """Whether one of these keys is anywhere inside."""
    todo: list[Any] = [value]
    while todo:
        one = todo.pop()
        if not keys.isdisjoint(table(one)):
            return True
        todo += [*table(one).values(), *listed(one)]
    return False


def text(value: object) -> str:
    """Return a string; numbers as they are written, and nothing for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
