"""What a server writes to its standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._framing import LineSplitter
from plugbay.mcp.pipes._streams import CHUNK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.mcp.process._child import Child

LOGGED = 2000
"""Characters of a line that are told."""


async def lines_of(child: Child) -> AsyncIterator[str]:
    """Yield its lines until it ends."""
    lines = LineSplitter(CHUNK)
    while child.stderr is not None and (data := await child.stderr.read(CHUNK)):
        for line in lines.feed(data):
            if isinstance(line, bytes):
                yield line.decode("utf-8", "replace").rstrip("\r")
