"""What the lines of a server say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INTERNAL_ERROR, Malformed, find_id, read_envelope
from plugbay.mcp._framing import TooLong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.mcp._codec import Envelope, Id

_log = logging.getLogger("plugbay.mcp")


def messages(
    lines: Iterable[bytes | TooLong], server: str = "the server"
) -> Iterator[tuple[bytes, Envelope]]:
    """Yield the messages; for one that is too long, and for an answer that says two things, the
    error that answers the request instead."""
    for line in lines:
        if isinstance(line, TooLong):
            text = f"Internal error: a message of {line.size} bytes is longer than is taken"
            raw = error_answer(find_id(line.head, line.tail), INTERNAL_ERROR, text)
        else:
            raw = line
        try:
            yield raw, read_envelope(raw)
        except Malformed as error:
            _log.warning("%s wrote no JSON-RPC message, dropped: %.200r", server, raw)
            if error.answers:
                raw = no_answer(error.id, error)
                yield raw, read_envelope(raw)


def no_answer(id: Id, error: Exception) -> bytes:
    """Return the error instead of an answer that cannot be read."""
    return error_answer(id, INTERNAL_ERROR, f"Internal error: {error}")
