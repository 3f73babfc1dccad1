"""Messages of MCP as the plugin sees them, and what its hooks have returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from plugbay.sdk import Block, McpSession, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Direction, Kind

    Told = Mapping[str, Any]


class Sessions:
    """What the plugin remembers of sessions: one dictionary for all calls of each."""

    def __init__(self) -> None:
        self._states: dict[int, dict[str, Any]] = {}

    def session_of(self, told: Told) -> McpSession:
        """Make the session of a call."""
        return McpSession(
            id=told.get("id", ""),
            server=told.get("server", ""),
            transport=told.get("transport", "stdio"),
            identity=told.get("identity", ""),
            era=told.get("era", ""),
            protocol_version=told.get("protocol_version", ""),
            client=told.get("client", ""),
            state=self._states.setdefault(told.get("number", 0), {}),
        )

    def forget(self, number: int) -> None:
        """The session is over."""
        self._states.pop(number, None)


def message_of(told: Told, session: McpSession) -> Message:
    """Make the message of a call."""
    method, to_client = told.get("method", ""), told.get("to_client", False)
    asked = told.get("request", b"")
    request = _message(asked, not to_client, "request", method, session) if asked else None
    fields = [part.decode("latin-1") for part in told.get("fields", ())]
    headers = dict(zip(fields[::2], fields[1::2], strict=True))
    raw, kind = told.get("raw", b""), told.get("kind", "notification")
    message = _message(raw, to_client, kind, method, session, request, headers)
    blocked = told.get("blocked")
    if blocked is not None:
        message.blocked = block_of(blocked)
    return message


def _message(
    raw: bytes,
    to_client: bool,
    kind: Kind,
    method: str,
    session: McpSession,
    request: Message | None = None,
    headers: Mapping[str, str] | None = None,
) -> Message:
    body: Any = json.loads(raw)
    direction: Direction = "to-client" if to_client else "to-server"
    return Message(
        raw,
        direction,
        kind,
        body.get("id"),
        method,
        session,
        body=body,
        request=request,
        headers=headers or {},
    )


def block_of(told: Told) -> Block:
    """Make the block of what the gateway has told."""
    return Block(
        told.get("reason", ""),
        told.get("code", 0),
        told.get("violation", ""),
        told.get("retry_after", 0.0) if told.get("retries") else None,
        told.get("as_error", False),
    )


def answer_of(result: object, message: Message | None) -> dict[str, Any]:
    """Return the fields of an `McpAnswer`. Raises `TypeError`."""
    if result is None or (result is message and message is not None):
        return {}
    if isinstance(result, Block):
        block: dict[str, Any] = {
            "reason": result.reason,
            "code": result.code,
            "violation": result.violation,
            "as_error": result.as_error,
        }
        if result.retry_after is not None:
            block |= {"retry_after": result.retry_after, "retries": True}
        return {"block": block}
    if isinstance(result, Message) and message is not None:
        return {"raw": result.raw, "answer": result.direction != message.direction}
    raise TypeError(f"a hook returns a Message, a Block or None, not {type(result).__name__}")
