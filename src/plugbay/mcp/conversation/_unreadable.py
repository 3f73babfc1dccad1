"""What is no message, or too long for one: what its sender hears, or who waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.mcp._answers import PLUGIN_FAILED, error_answer
from plugbay.mcp._codec import INTERNAL_ERROR, INVALID_REQUEST, find_id
from plugbay.mcp.conversation._sent import Sent

if TYPE_CHECKING:
    from plugbay.mcp._codec import Id, Malformed
    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.conversation._exchanges import Exchanges
    from plugbay.sdk import Direction, Message

_log = logging.getLogger("plugbay.mcp")


def malformed(direction: Direction, raw: bytes, error: Malformed, exchanges: Exchanges) -> Sent:
    """Answer a client; what a server writes is dropped, as many write lines that are for people.

    Was it to be an answer, whoever waits for it hears that there is none.
    """
    if direction == "to-server":
        _log.warning("the client sent no JSON-RPC message (%d bytes): %s", len(raw), error)
        return Sent(back=error_answer(error.id, error.code, str(error)))
    _log.warning("the server wrote no JSON-RPC message, dropped: %.200r", raw)
    return _no_answer(error.id, str(error), exchanges) if error.answers else Sent()


def unreadable(message: Message, error: Malformed) -> Sent:
    """Answer for a message whose inside no plugin could read, or could read in two ways."""
    _log.warning("a %s %s cannot be read: %s", message.kind, message.direction, error)
    if message.kind == "request":
        return Sent(back=error_answer(message.id, error.code, str(error)))
    if message.kind == "notification":
        return Sent()
    return Sent(forward=error_answer(message.id, INTERNAL_ERROR, f"Internal error: {error}"))


def too_long(direction: Direction, line: TooLong, exchanges: Exchanges) -> Sent:
    """Answer whoever asked: by the id that the line begins or ends with."""
    _log.warning("a message of %d bytes %s is too long", line.size, direction)
    id = find_id(line.head, line.tail)
    text = f"a message of {line.size} bytes is longer than this gateway takes"
    if direction == "to-server":
        return Sent(back=error_answer(id, INVALID_REQUEST, f"Invalid Request: {text}"))
    return _no_answer(id, text, exchanges)


def id_in_use(id: Id) -> Sent:
    """Refuse a request whose id another one has: the response to one would pass the hooks of the
    other. The answer has no id, for it would be taken for the other's."""
    _log.warning("the client uses the id %.100r for two requests at once", id)
    return Sent(back=error_answer(None, INVALID_REQUEST, "Invalid Request: the id is in use"))


def unasked(id: Id) -> Sent:
    """Drop a response that nobody waits for."""
    _log.warning("a response to %.100r, which nobody waits for, was dropped", id)
    return Sent()


def another_way(id: Id) -> Sent:
    """Answer in place of a response that was fetched by another way than it was asked for
    (`Last-Event-ID`): which hooks it should pass is not known, so it must not pass without them."""
    text = "plugins cannot judge this response, for its request went another way: ask again"
    return Sent(error_answer(id, PLUGIN_FAILED, text))


def in_one_line(raw: bytes, transport: str) -> bytes:
    """Return a message without carriage returns inside, which are white space in JSON. Over stdio a
    receiver may take one for the end of a line, and what follows for a message of its own, which no
    plugin has seen."""
    if transport != "stdio" or raw.find(b"\r") == len(raw) - 1:
        return raw
    return raw.replace(b"\r", b" ")


def _no_answer(id: Id, why: str, exchanges: Exchanges) -> Sent:
    """Tell the client that waits for a response that it cannot be passed on."""
    exchange = exchanges.take("to-client", id)
    if exchange is None:
        return Sent()
    exchange.end()
    return Sent(forward=error_answer(id, INTERNAL_ERROR, f"Internal error: {why}"))
