"""A request that was on the fast path, kept for its observers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.sdk import Request, Response, Timing


class Observed:
    """What observers are told: the connection's fast exchange serves the next request already.

    It is inside the chain in the stead of the fast exchange, until they were told.
    """

    __slots__ = ("_timing", "request", "response")

    cancelled = False
    """The response is out: there is nothing left to cancel."""

    def __init__(self, request: Request, response: Response, timing: Timing) -> None:
        self.request = request
        self.response = response
        self._timing = timing

    def timing(self) -> Timing:
        """Return how long it took and how much was sent."""
        return self._timing

    def cancel(self) -> None:
        """Do nothing, as an exchange that has finished."""
