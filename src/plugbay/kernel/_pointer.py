"""JSON Pointer (RFC 6901)."""

from __future__ import annotations


def pointer_token(key: str) -> str:
    """Return a key as it stands in a pointer."""
    return key.replace("~", "~0").replace("/", "~1")
