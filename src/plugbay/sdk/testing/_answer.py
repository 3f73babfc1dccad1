"""What came of a request in a test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from plugbay.sdk._response import Response

if TYPE_CHECKING:
    from plugbay.sdk._headers import Headers
    from plugbay.sdk._plugin import Timing
    from plugbay.sdk._request import Request


class Answer(Response):
    """The response as the client gets it, with its body read to the end.

    `request` is the request as the plugin left it; `sent` is the body that the upstream got,
    None if the plugin answered itself; `timing` is what an observer was told.
    """

    __slots__ = ("content", "request", "sent", "timing")

    def __init__(
        self,
        status: int,
        headers: Headers,
        content: bytes,
        *,
        request: Request,
        sent: bytes | None,
        timing: Timing,
    ) -> None:
        super().__init__(status, headers, content)
        self.content = content
        self.request, self.sent, self.timing = request, sent, timing

    @property
    def passed(self) -> bool:
        """Whether the request went on to the upstream."""
        return self.sent is not None

    def data(self) -> Any:
        """Return the body parsed as JSON. Raises `ValueError`."""
        return json.loads(self.content)
