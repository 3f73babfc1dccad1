"""What header fields must say of a message (MCP 2026-07-28, transports: Streamable HTTP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Message

_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def mirrored(message: Message) -> Mapping[str, str] | None:
    """Return the header fields that must say the same as the body (2026-07-28, transports)."""
    if message.kind != "request" or message.direction != "to-server":
        return None
    fields = {"mcp-method": message.method}
    if message.method in _NAMED:
        fields["mcp-name"] = message.target
    return fields
