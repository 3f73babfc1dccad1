"""What Plugbay itself says in JSON-RPC.

Codes of our own are positive: MCP keeps -32000 to -32099 for itself (2026-07-28), and JSON-RPC
-32768 to -32000.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plugbay.mcp._codec import encode
from plugbay.sdk import Block

if TYPE_CHECKING:
    from plugbay.mcp._codec import Id
    from plugbay.sdk import Message

PLUGIN_FAILED, SERVER_DOWN = 50001, 50301


def error_answer(id: Id, code: int, text: str, data: dict[str, Any] | None = None) -> bytes:
    """Return an error response; `data` is told under the name `plugbay`."""
    error: dict[str, Any] = {"code": code, "message": text}
    if data:
        error["data"] = {"plugbay": data}
    return encode({"jsonrpc": "2.0", "id": id, "error": error})


def blocked_answer(message: Message, block: Block, plugin: str, generation: int) -> bytes:
    """Return the response to a request that was blocked, or in place of a blocked response."""
    facts: dict[str, Any] = {
        "plugin": plugin,
        "code": block.code,
        "violation": block.violation,
        "generation": generation,
    }
    text = block.reason
    if block.retry_after is not None:
        facts["retry_after_ms"] = round(block.retry_after * 1000)
        text = f"{text} (try again in {_rounded(block.retry_after)} s)"
    if block.code < 0:  # it is answered as the server would: who hid what is not told
        return error_answer(message.id, block.code, text)
    if message.method != "tools/call" or block.as_error:
        return error_answer(message.id, block.code, text, facts)
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {"plugbay/block": facts},
    }
    if message.modern:
        result["resultType"] = "complete"
    return encode({"jsonrpc": "2.0", "id": message.id, "result": result})


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else str(math.ceil(seconds))


def plugin_failed(plugin: str) -> Block:
    """Return the block of a plugin that cannot decide, where nothing may pass without it."""
    reason = f"plugin {plugin} cannot decide now"
    return Block(reason, PLUGIN_FAILED, "plugin-failed", retry_after=1)
