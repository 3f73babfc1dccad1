"""Which era of the protocol a client speaks, told from its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from plugbay.mcp._codec import Envelope
    from plugbay.sdk import McpSession, Message

MODERN = "2026-07-28"
_VERSION = "io.modelcontextprotocol/protocolVersion"
_CLIENT = "io.modelcontextprotocol/clientInfo"
_LEARNS = b"protocolVersion"


def changes_session(session: McpSession, envelope: Envelope, raw: bytes) -> bool:
    """Whether the session's state depends on what a request or a notification says."""
    if envelope.kind == "notification":
        return envelope.method == "notifications/cancelled"
    return envelope.method == "initialize" or (not session.era and _tells_era(raw))


def learn_era(request: Message) -> None:
    """See from a client's first request which era its session is of, and who it says it is."""
    if request.direction != "to-server" or not _tells_era(request.raw):
        return
    session = request.session
    if request.method == "initialize":
        session.era, client = "handshake", request.params.get("clientInfo")
    else:
        meta = request.meta
        version = str(meta.get(_VERSION, ""))
        if version < MODERN:
            return
        session.era, session.protocol_version = "modern", version
        client = meta.get(_CLIENT)
    if isinstance(client, dict):
        session.client = str(cast("dict[str, Any]", client).get("name", ""))[:256]


def _tells_era(raw: bytes) -> bool:
    # `in` would first try its operand as a number.
    return raw.find(_LEARNS) >= 0
