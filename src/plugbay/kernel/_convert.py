"""Strict conversion of plain data (from TOML, JSON, MessagePack) into typed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from plugbay.kernel._errors import Invalid, Problem
from plugbay.kernel._pointer import pointer_token

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


def convert(raw: object, type_: type[T], *, what: str) -> T:
    """Convert `raw` into a `type_`. Raises `Invalid`, whose problems point into `raw`.

    A key that `type_` does not know is refused at any depth: a misspelt setting must not be a
    setting that silently does nothing. Every such key is named at once.
    """
    try:
        value = msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        problem = Problem(_pointer(path.rstrip("`")), message)
        raise Invalid(f"{what}: {error}", problems=(problem,)) from None
    unknown = tuple(_unknown(raw, msgspec.to_builtins(value), ""))
    if unknown:
        names = ", ".join(pointer for pointer, _ in unknown)
        problems = tuple(
            Problem(pointer, "unknown key", expected=f"one of {', '.join(known)}", found=pointer)
            for pointer, known in unknown
        )
        raise Invalid(f"{what}: unknown key {names}", problems=problems)
    return value


def _unknown(raw: object, known: object, at: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the pointer of each key of `raw` that conversion left out, and the keys it knows."""
    if isinstance(raw, dict) and isinstance(known, dict):
        fields = cast("dict[str, object]", known)
        for key, value in cast("dict[str, object]", raw).items():
            where = f"{at}/{pointer_token(str(key))}"
            if key not in fields:
                yield where, sorted(fields)
            else:
                yield from _unknown(value, fields[key], where)
    elif isinstance(raw, (list, tuple)) and isinstance(known, (list, tuple)):
        pairs = zip(cast("list[object]", raw), cast("list[object]", known), strict=False)
        for index, (value, other) in enumerate(pairs):
            yield from _unknown(value, other, f"{at}/{index}")


def _pointer(path: str) -> str:
    """Turn msgspec's `$.routes[0].path` into a JSON Pointer (RFC 6901)."""
    return path.removeprefix("$").replace("[", "/").replace("]", "").replace(".", "/")
