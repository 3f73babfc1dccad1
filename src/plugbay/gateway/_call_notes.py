"""Calls of hooks that went well, noted by the clock and entered in bulk.

To time and count one call takes five counters, which cost more than most hooks do. So a chain
notes for a request only what the clock said: when the first hook began, and when each ended.
Whoever reads the figures, or counts a failure, has what is behind entered first.
"""

from __future__ import annotations

from itertools import pairwise
from operator import sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.gateway._link import Link

    Stamps = tuple[float, ...]


class CallNotes:
    """What is noted of the calls of some links' hooks, in the order in which they are called."""

    __slots__ = ("_calls", "_noted", "note")

    note: Callable[[Stamps], None]
    """Notes a request that has passed all of them: one reading more than there are links."""

    def __init__(self, links: Sequence[Link], passing: Callable[[Link], bool]) -> None:
        """`passing`: whether a call of the link's hook lets its request pass the plugin."""
        self._calls = [(link, passing(link)) for link in links]
        self._noted: list[Stamps] = []
        self.note = self._noted.append
        for link in links:
            link.vitals.behind.add(self.settle)
            link.series.behind.add(self.settle)

    def settle(self) -> None:
        """Enter what was noted."""
        noted = self._noted
        if not noted:
            return
        stamps = list(zip(*noted, strict=True))
        noted.clear()
        for (link, passing), (began, ended) in zip(self._calls, pairwise(stamps), strict=True):
            _enter(link, sorted(map(sub, ended, began)), passing=passing)

    def enter(self, stamps: Stamps, *, last: bool = True) -> None:
        """Enter the calls of a request that has not passed all: its last one let it pass or not."""
        for place, (began, ended) in enumerate(pairwise(stamps)):
            link, passing = self._calls[place]
            passed = passing and (last or place < len(stamps) - 2)
            _enter(link, [ended - began], passing=passed)

    def close(self) -> None:
        """Enter what was noted; there will be no more."""
        self.settle()
        for link, _ in self._calls:
            link.vitals.behind.discard(self.settle)
            link.series.behind.discard(self.settle)


def _enter(link: Link, seconds: Sequence[float], *, passing: bool) -> None:
    """Enter calls of one hook, the shortest first."""
    count = len(seconds)
    link.vitals.calls += count
    link.series.duration.observe_all(seconds)
    if passing:
        link.series.passed += count
    breaker = link.breaker
    # A breaker that has opened since hears no late news; before a failure, all was entered.
    if breaker is not None and breaker.closed:
        breaker.passed += count
