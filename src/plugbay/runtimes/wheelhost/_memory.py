"""What a plugin's hooks remember of a request from one to the next: `Request.state`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugbay.sdk import Request


class Memory:
    """The states of requests by number. The gateway says when one is over."""

    def __init__(self) -> None:
        self._states: dict[int, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def recall(self, request: Request, number: int) -> None:
        """Give a request what was remembered of it."""
        if number:
            request.state.update(self._states.get(number, {}))

    def keep(self, request: Request, number: int) -> int:
        """Remember what there is, and return by which number; 0 if there never was anything."""
        state = request.state
        if not state and not number:
            return 0
        number = number or next(self._numbers)
        self._states[number] = state
        return number

    def forget(self, number: int) -> None:
        """The request is over."""
        self._states.pop(number, None)
