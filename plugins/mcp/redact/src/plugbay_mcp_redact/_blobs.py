"""Texts that resources carry in Base64 (MCP, `BlobResourceContents`)."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from plugbay.sdk.redaction import DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

    Clean = Callable[[str], tuple[str, Counter[str]]]


def clean_blobs(value: Any, clean: Clean) -> tuple[Any, Counter[str]]:
    """Return a value whose blobs that are text are cleaned; the value itself if none had to be."""
    found: Counter[str] = Counter()
    changed = _walk(value, clean, found, DEPTH)
    return (changed, found) if found else (value, found)


def _walk(value: object, clean: Clean, found: Counter[str], depth: int) -> object:
    # What is deeper than this has been taken out.
    if depth == 0 or not isinstance(value, (dict, list)):
        return value
    if isinstance(value, list):
        return [_walk(one, clean, found, depth - 1) for one in cast("list[object]", value)]
    members = cast("dict[str, object]", value)
    return {
        name: _blob(one, clean, found)
        if name == "blob" and isinstance(one, str)
        else _walk(one, clean, found, depth - 1)
        for name, one in members.items()
    }


def _blob(blob: str, clean: Clean, found: Counter[str]) -> str:
    try:
        text = base64.b64decode(blob).decode()
    except ValueError:
        return blob
    changed, here = clean(text)
    found += here
    return base64.b64encode(changed.encode()).decode() if here else blob
