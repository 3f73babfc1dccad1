"""A few harmless MCP messages for each hook of an `McpFilter`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from plugbay.sdk import McpSession, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.sdk import Direction, Kind

_TOOL = {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}
_CALL = {"name": "echo", "arguments": {"text": "hello", "n": 1, "deep": [{"a": None}]}}
_RESULT = {"content": [{"type": "text", "text": "hello"}], "isError": False}
_START = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "trial"}}
_ASKED = {
    "resultType": "input_required",
    "inputRequests": {"a": {"method": "elicitation/create", "params": {"message": "?"}}},
}


def mcp_calls(name: str) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of each call of the hook `name`."""
    session = McpSession(id="trial", server="trial", identity="trial", client="trial")
    if name in ("on_session", "on_session_end"):
        yield (session,)
    elif name == "on_stderr":
        yield (session, "listening")
    elif name == "on_exit":
        yield (session, 0)
    else:
        yield from ((message,) for message in _messages(session) if _meets(name, message))


def _meets(name: str, message: Message) -> bool:
    about = {
        "on_handshake": ("initialize",),
        "on_list": ("tools/list", "resources/list"),
        "on_tool_call": ("tools/call",),
        "on_tool_result": ("tools/call",),
        "on_prompt": ("prompts/get",),
        "on_resource": ("resources/read",),
    }
    if name == "on_message":
        return True
    if name == "on_notification":
        return message.kind == "notification"
    if name == "on_server_request":
        asks = message.direction == "to-client" and message.kind == "request"
        return asks or message.result.get("resultType") == "input_required"
    if name in ("on_list", "on_tool_result") and message.kind == "request":
        return False
    if name == "on_tool_call" and message.kind != "request":
        return False
    return message.method in about[name] and message.kind in ("request", "response")


def _messages(session: McpSession) -> Iterator[Message]:
    yield from _exchange(session, "initialize", _START, {**_START, "serverInfo": {"name": "trial"}})
    yield from _exchange(session, "tools/list", None, {"tools": [_TOOL], "cacheScope": "public"})
    yield from _exchange(session, "resources/list", {"cursor": "2"}, {"resources": []})
    yield from _exchange(session, "tools/call", _CALL, _RESULT)
    yield from _exchange(session, "tools/call", _CALL, _ASKED)
    yield from _exchange(session, "prompts/get", {"name": "greet"}, {"messages": []})
    yield from _exchange(session, "resources/read", {"uri": "test://a"}, {"contents": []})
    progress = {"progressToken": 1, "progress": 0.5}
    yield _message(session, "to-client", "notification", "notifications/progress", params=progress)
    cancelled = {"requestId": 7, "reason": "trial"}
    yield _message(
        session, "to-server", "notification", "notifications/cancelled", params=cancelled
    )
    yield _message(session, "to-client", "request", "roots/list", id=1)
    error = {"code": -32601, "message": "Method not found"}
    yield _message(session, "to-client", "error", "no/such", id=2, error=error)


def _exchange(
    session: McpSession, method: str, params: dict[str, Any] | None, result: dict[str, Any]
) -> Iterator[Message]:
    members: dict[str, Any] = {} if params is None else {"params": params}
    request = _message(session, "to-server", "request", method, id=7, **members)
    yield request
    yield _message(session, "to-client", "response", method, id=7, about=request, result=result)


def _message(
    session: McpSession,
    direction: Direction,
    kind: Kind,
    method: str,
    *,
    id: int | None = None,
    about: Message | None = None,
    **members: Any,
) -> Message:
    body: dict[str, Any] = {"jsonrpc": "2.0", **members}
    if id is not None:
        body["id"] = id
    if kind in ("request", "notification"):
        body["method"] = method
    raw = json.dumps(body).encode()
    return Message(raw, direction, kind, id, method, session, request=about)
