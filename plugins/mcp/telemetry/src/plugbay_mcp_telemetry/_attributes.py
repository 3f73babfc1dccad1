"""Attributes of spans, by the semantic conventions for MCP and for generative AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.sdk import Message

    Attributes = dict[str, str]

_TRANSPORT = {"stdio": "pipe", "http": "tcp"}


def attributes_of(message: Message) -> Attributes:
    """Return what a request says."""
    session = message.session
    attributes = {
        "mcp.method.name": message.method,
        "jsonrpc.request.id": str(message.id),
        "network.transport": _TRANSPORT[session.transport],
        "plugbay.mcp.server": session.server,
    }
    version = message.meta.get("io.modelcontextprotocol/protocolVersion", session.protocol_version)
    if version:
        attributes["mcp.protocol.version"] = str(version)
    if session.id:
        attributes["mcp.session.id"] = session.id
    if message.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
        attributes["gen_ai.tool.name"] = message.target
    elif message.method == "prompts/get":
        attributes["gen_ai.prompt.name"] = message.target
    elif message.method.startswith("resources/") and "uri" in message.params:
        attributes["mcp.resource.uri"] = str(message.params["uri"])
    return attributes


def outcome_of(message: Message) -> tuple[Attributes, str]:
    """Return what an answer says, and the type of its error; empty if it is none."""
    if message.kind == "error":
        code = str(message.error.get("code", ""))
        return {"rpc.response.status_code": code}, code or "_OTHER"
    if message.method == "tools/call" and message.result.get("isError") is True:
        return {}, "tool_error"
    return {}, ""
