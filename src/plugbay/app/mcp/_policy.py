"""What happens to MCP messages when a plugin cannot decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.sdk import Manifest


def fails_closed(manifest: Manifest, chosen: str = "default") -> bool:
    """Whether nothing passes while an MCP plugin cannot decide: for what may block, by default."""
    for word in (chosen, manifest.on_error):
        if word != "default":
            return word == "closed"
    return manifest.mcp.mode in ("guard", "check")
