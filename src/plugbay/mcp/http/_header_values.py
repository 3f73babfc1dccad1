"""Values of the `Mcp-*` header fields (MCP 2026-07-28, transports: Streamable HTTP)."""

from __future__ import annotations

import base64

_BEGIN, _END = "=?base64?", "?="


def header_text(value: str) -> str:
    """Return what a field's value says; one that is not well-formed says itself."""
    if value.startswith(_BEGIN) and value.endswith(_END):
        try:
            return base64.b64decode(value[len(_BEGIN) : -len(_END)], validate=True).decode()
        except ValueError:
            return value
    return value


def header_value(text: str) -> str:
    """Return a field's value that says `text`, in Base64 where a field cannot say it plainly."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not text.startswith(_BEGIN):
        return text
    return f"{_BEGIN}{base64.b64encode(text.encode()).decode()}{_END}"
