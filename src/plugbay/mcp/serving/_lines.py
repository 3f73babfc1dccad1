"""What the lines of a server say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INTERNAL_ERROR, Malformed, find_id, read_envelope
from plugbay.mcp._framing import TooLong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.mcp._codec import Envelope

_log = logging.getLogger("plugbay.mcp")


def messages(
    lines: Iterable[bytes | TooLong], server: str = "the server"
) -> Iterator[tuple[bytes, Envelope]]:
    """Yield the messages; for one that is too long, the error that answers the request instead."""
    for line in lines:
        if isinstance(line, TooLong):
            text = f"Internal error: a message of {line.size} bytes is longer than is taken"
            raw = error_answer(find_id(line.head, line.tail), INTERNAL_ERROR, text)
        else:
            raw = line
        try:
            yield raw, read_envelope(raw)
        except Malformed:
            _log.warning("%s wrote no JSON-RPC message, dropped: %.200r", server, raw)
