"""Host names as routes and requests spell them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATTERN = re.compile(rb"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)*").fullmatch
_ADDRESS = re.compile(rb"\[[0-9a-f:.]+\]").fullmatch


def host_name(host: bytes) -> bytes:
    """Return the name in a Host field: lower case, without port and without a final dot."""
    name = host.lower()
    if name.startswith(b"["):
        return name.partition(b"]")[0] + b"]"
    return name.partition(b":")[0].removesuffix(b".")


def host_pattern(pattern: str) -> bytes:
    """Return a route's host in the same spelling; empty if it is not one."""
    try:
        raw = pattern.lower().removesuffix(".").encode("ascii" if pattern.isascii() else "idna")
    except UnicodeError:
        return b""
    return raw if _PATTERN(raw) or _ADDRESS(raw) else b""


def wildcards_above(name: bytes) -> Iterator[bytes]:
    """Yield `.b.c`, `.c` for `a.b.c`: what a wildcard may stand before, the longest first."""
    at = name.find(b".")
    while at >= 0:
        yield name[at:]
        at = name.find(b".", at + 1)
