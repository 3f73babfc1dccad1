"""JSON from others, whatever it is: what is not of the kind that was expected is empty."""

from __future__ import annotations

from typing import Any, cast

from plugbay.mcp._codec import decode


def as_object(value: object) -> dict[str, Any]:
    """Return an object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_array(value: object) -> list[Any]:
    """Return an array."""
    if not isinstance(value, list):
        return []
    found: list[Any] = cast("Any", value)
    return found


def params_of(raw: bytes) -> dict[str, Any]:
    """Return the parameters of a message."""
    return as_object(as_object(decode(raw)).get("params"))


def result_of(raw: bytes) -> dict[str, Any]:
    """Return the result of a response."""
    return as_object(as_object(decode(raw)).get("result"))
