"""JSON from others, whatever it is: what is not of the kind that was expected is empty."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from plugbay.mcp._codec import decode, encode

Members = dict[str, msgspec.Raw]
UNREADABLE = (ValueError, RecursionError, msgspec.DecodeError)
"""What a message raises that is JSON only at first sight, or too deep: it harms nobody else."""
_MEMBERS = msgspec.json.Decoder(Members)


def members_of(raw: bytes | msgspec.Raw) -> Members:
    """Return the members of an object. Raises what is `UNREADABLE`."""
    try:
        return _MEMBERS.decode(raw)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # the standard library knows lone surrogates
        found: dict[str, Any] = decode(bytes(raw))
        return {name: msgspec.Raw(encode(one)) for name, one in found.items()}


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
