"""Spans of numbers that may lie in each other, made into ones that do not: the worst wins."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Span(NamedTuple):
    """From `low` to `high`, both of it, with the row that says what is known."""

    low: int
    high: int
    row: int


def flatten(spans: Sequence[Span], rank: Sequence[int]) -> Iterator[Span]:
    """Yield spans in order that do not overlap; where several did, the row of the highest rank.

    `spans` are sorted. Neighbours of the same row become one.
    """
    last: Span | None = None
    for span in _disjoint(spans, rank):
        if last is not None and last.row == span.row and last.high + 1 >= span.low:
            last = Span(last.low, max(last.high, span.high), span.row)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _disjoint(spans: Sequence[Span], rank: Sequence[int]) -> Iterator[Span]:
    """Sweep from left to right; `active` are the spans that the place lies in, the worst first."""
    active: list[tuple[int, int, int]] = []
    place = 0
    for low, high, row in spans:
        yield from _up_to(active, place, low - 1)
        place = low
        heapq.heappush(active, (-rank[row], high, row))
    yield from _up_to(active, place, None)


def _up_to(active: list[tuple[int, int, int]], place: int, end: int | None) -> Iterator[Span]:
    """Yield what counts from `place` to `end` (None: all that is left), and drop what has ended."""
    while active:
        _, high, row = active[0]
        if high < place:
            heapq.heappop(active)
            continue
        if end is not None and place > end:
            return
        stop = high if end is None else min(high, end)
        yield Span(place, stop, row)
        place = stop + 1
        if end is not None and place > end:
            return
