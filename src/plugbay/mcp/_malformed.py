"""What cannot be taken for a message."""

from __future__ import annotations

Id = int | float | str | None
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
"""JSON-RPC 2.0, section 5.1."""


class Malformed(ValueError):
    """It is no JSON-RPC message. `code` and the text are what its sender is told.

    `answers`: it was to be a response, to the request `id`, for which somebody waits.
    """

    def __init__(self, code: int, text: str, id: Id = None) -> None:
        super().__init__(text)
        self.code, self.id, self.answers = code, id, False
