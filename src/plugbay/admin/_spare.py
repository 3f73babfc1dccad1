"""Specifications without what goes without saying."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import msgspec


def spare(value: Any) -> dict[str, Any]:
    """A specification without what is as its type has it anyway, as JSON has it."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        now = getattr(value, field.name)
        if field.default_factory is not dataclasses.MISSING:
            default: object = field.default_factory()
        else:
            default = field.default
        if now != default:
            found[field.name] = _inside(now)
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(found)))


def _inside(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return spare(value)
    if isinstance(value, tuple):
        return list(map(_inside, cast("Any", value)))
    return msgspec.to_builtins(value)
