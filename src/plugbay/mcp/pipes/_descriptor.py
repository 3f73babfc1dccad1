"""The file behind a transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def descriptor_of(transport: asyncio.BaseTransport | None) -> int:
    """Return the number of a transport's file, -1 if it has none any more."""
    pipe = None if transport is None else transport.get_extra_info("pipe")
    return -1 if pipe is None or pipe.closed else int(pipe.fileno())
