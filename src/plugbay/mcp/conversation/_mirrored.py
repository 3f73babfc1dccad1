"""What header fields must say of a message (MCP 2026-07-28, transports: Streamable HTTP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.mcp._methods import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Message


def mirrored(message: Message) -> Mapping[str, str] | None:
    """Return the header fields that must say the same as the body (2026-07-28, transports)."""
    if message.kind != "request" or message.direction != "to-server":
        return None
    fields = {"mcp-method": message.method}
    if message.method in TARGETS:
        fields["mcp-name"] = message.target
    return fields
