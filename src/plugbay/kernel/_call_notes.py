"""Calls of hooks that went well, noted by the clock and entered in bulk.

To time and count one call takes five counters, which cost more than most hooks do. So a chain
notes for a request only how long each took. Whoever reads the figures, or counts a failure, has
what is behind entered first.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.kernel._breaker import CircuitBreaker
    from plugbay.kernel._vitals import Vitals

Seconds = tuple[float, ...]
"""What the calls of a request took, in their order."""
Stamps = tuple[float, ...]
"""What the clock said: when the first hook began, and when each ended."""


class Duration(Protocol):
    """A distribution of seconds."""

    def observe_all(self, values: Sequence[float], /) -> None:
        """Enter values."""
        ...


class Outcomes(Protocol):
    """What one plugin did; `observability.PluginSeries` is one."""

    passed: int
    behind: set[Callable[[], None]]

    @property
    def duration(self) -> Duration: ...


class Called(Protocol):
    """A plugin whose hooks are called."""

    @property
    def vitals(self) -> Vitals: ...

    @property
    def series(self) -> Outcomes: ...

    @property
    def breaker(self) -> CircuitBreaker | None: ...


class CallNotes:
    """What is noted of the calls of some links' hooks, in the order in which they are called."""

    __slots__ = ("_calls", "note", "noted")

    note: Callable[[Seconds], None]
    """Notes a request that has passed all of them."""

    def __init__(self, calls: Sequence[tuple[Called, bool]]) -> None:
        """Each call's plugin, and whether it lets its request pass the plugin."""
        self._calls = calls
        self.noted: list[Seconds] = []
        """What is not entered yet."""
        self.note = self.noted.append
        for link, _ in calls:
            link.vitals.behind.add(self.settle)
            link.series.behind.add(self.settle)

    def settle(self) -> None:
        """Enter what was noted."""
        noted = self.noted
        if not noted:
            return
        by_call = list(zip(*noted, strict=True))
        noted.clear()
        for (link, passing), seconds in zip(self._calls, by_call, strict=True):
            _enter(link, seconds, passing=passing)

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


def spans(calls: int) -> str:
    """Return what is noted as source: the seconds between readings named `t0`, `t1` and so on.

    What is compiled subtracts in a third of the time that a function does.
    """
    return "".join(f"t{n + 1} - t{n}, " for n in range(calls))


def _enter(link: Called, seconds: Sequence[float], *, passing: bool) -> None:
    """Enter calls of one hook."""
    count = len(seconds)
    link.vitals.calls += count
    link.series.duration.observe_all(seconds)
    if passing:
        link.series.passed += count
    breaker = link.breaker
    # A breaker that has opened since hears no late news; before a failure, all was entered.
    if breaker is not None and breaker.closed:
        breaker.passed += count
