"""What is no message, or too long for one: what its sender hears, or who waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INTERNAL_ERROR, INVALID_REQUEST, find_id
from plugbay.mcp.conversation._sent import Sent

if TYPE_CHECKING:
    from plugbay.mcp._codec import Malformed
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.conversation._exchanges import Exchanges
    from plugbay.sdk import Direction

_log = logging.getLogger("plugbay.mcp")


def malformed(direction: Direction, raw: bytes, error: Malformed) -> Sent:
    """Answer a client; what a server writes is dropped, as many write lines that are for people."""
    if direction == "to-server":
        _log.warning("the client sent no JSON-RPC message (%d bytes): %s", len(raw), error)
        return Sent(back=error_answer(error.id, error.code, str(error)))
    _log.warning("the server wrote no JSON-RPC message, dropped: %.200r", raw)
    return Sent()


def too_long(direction: Direction, line: TooLong, exchanges: Exchanges) -> Sent:
    """Answer whoever asked: by the id that the line begins or ends with."""
    _log.warning("a message of %d bytes %s is too long", line.size, direction)
    id = find_id(line.head, line.tail)
    text = f"a message of {line.size} bytes is longer than this gateway takes"
    if direction == "to-server":
        return Sent(back=error_answer(id, INVALID_REQUEST, f"Invalid Request: {text}"))
    exchange = exchanges.take(direction, id)
    if exchange is None:
        return Sent()
    exchange.end()
    return Sent(forward=error_answer(id, INTERNAL_ERROR, f"Internal error: {text}"))
