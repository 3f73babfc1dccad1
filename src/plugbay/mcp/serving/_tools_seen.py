"""Which tools a server has, as its clients were told: nobody else asks it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from plugbay.mcp._json import UNREADABLE, as_array, as_object, params_of, result_of

if TYPE_CHECKING:
    from plugbay.mcp.serving._stream import Stream

LISTING = "tools/list"
MOST = 200
"""Tools whose names are kept."""
LONGEST = 128
"""Characters of a name."""


class ToolsSeen:
    """The names in the list that came last, over all its pages."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()

    def expect(self, stream: Stream, raw: bytes) -> None:
        """This response will answer a request for the list, or for one of its pages."""
        with contextlib.suppress(*UNREADABLE):
            stream.hears = partial(self._learn, bool(params_of(raw).get("cursor")))

    def _learn(self, more: bool, raw: bytes) -> None:
        result: dict[str, Any] = {}
        with contextlib.suppress(*UNREADABLE):
            result = result_of(raw)
        if "tools" in result:
            found = (str(as_object(one).get("name", "")) for one in as_array(result["tools"]))
            names = (*(self.names if more else ()), *(name[:LONGEST] for name in found))
            self.names = tuple(dict.fromkeys(names))[:MOST]
