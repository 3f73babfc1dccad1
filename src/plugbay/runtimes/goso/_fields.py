"""Changes of header fields, as a plugin in Go has made them."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Fields = list[tuple[bytes, bytes]]
    Change = tuple[bytes, tuple[bytes, ...]]

_COUNT = struct.Struct(">H")
_SIZE = struct.Struct(">I")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")

GATEWAYS_OWN = frozenset(
    (
        b"connection",
        b"content-length",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields of framing and of the connection: the gateway writes them, so changes are ignored."""


def take_changes(payload: bytes, at: int) -> tuple[tuple[Change, ...], int]:
    """Read changes at `at`; return them and where they end.

    As in Go's own server, a field whose name is none is left out, and a line break or NUL in a
    value becomes a space (RFC 9110, 5.5). Raises `struct.error` or `ValueError`.
    """
    (count,) = _COUNT.unpack_from(payload, at)
    at += _COUNT.size
    if not count:
        return (), at
    changes: list[Change] = []
    for _ in range(count):
        name, at = take_text(payload, at)
        (many,) = _COUNT.unpack_from(payload, at)
        at += _COUNT.size
        values: list[bytes] = []
        for _ in range(many):
            value, at = take_text(payload, at)
            values.append(value.translate(_BREAKS))
        if _NAME(name):
            changes.append((name, tuple(values)))
    return tuple(changes), at


def take_text(payload: bytes, at: int) -> tuple[bytes, int]:
    """Return the text at `at` and where it ends. Raises `struct.error`, `ValueError`."""
    (size,) = _SIZE.unpack_from(payload, at)
    end = at + 4 + size
    if end > len(payload):
        raise ValueError("a text is longer than its frame")
    return payload[at + 4 : end], end


def apply_changes(fields: Fields, changes: tuple[Change, ...]) -> None:
    """Change `fields` in place: each named field is replaced by its new values, or removed."""
    for name, values in changes:
        if name in GATEWAYS_OWN:
            continue
        fields[:] = [field for field in fields if field[0] != name]
        fields += [(name, value) for value in values]
