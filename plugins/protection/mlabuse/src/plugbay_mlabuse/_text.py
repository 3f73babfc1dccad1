"""What of a request is looked at: its path, and each parameter, decoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 8192
"""Bytes of a target that are looked at. The listener takes no head that is much longer."""
MOST: Final = 64
"""Pieces; what follows the last is part of it."""


def pieces(target: bytes, form: bytes = b"") -> list[bytes]:
    """Return the path, and the parameters of query and form as `name=value`, in lower case.

    Percent-encoding is decoded once, as the upstream does it; of what is encoded twice the
    remaining percent signs are seen. Each piece is scored by itself, so that harmless parameters
    cannot outweigh a bad one.
    """
    path, _, query = target[:LONGEST].partition(b"?")
    found = [path]
    for text in (query, form[:LONGEST]):
        if text:
            found += text.replace(b"+", b" ").split(b"&", MOST)
    if b"%" in target or b"%" in form:
        return [decoded(piece) for piece in found]
    return [piece.lower() for piece in found]


def decoded(piece: bytes) -> bytes:
    """Return a piece without percent-encoding (RFC 3986, 2.1), in lower case."""
    return (unquote_to_bytes(piece) if b"%" in piece else piece).lower()


def framed(texts: Sequence[bytes]) -> bytes:
    """Return texts as one buffer in which none shares a 3-gram with the one beside it.

    Text `i` has `len(text) + 3` positions: two before its first byte, and one after its last.
    """
    return b"\0\0" + b"\0\0\0".join(texts) + b"\0\0\0"
