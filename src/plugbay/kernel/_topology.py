"""Directed graphs over names: a stable order, and the cycles that prevent one."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Set

    Edges = Mapping[str, Set[str]]


def arrange(after: Edges, key: Callable[[str], Any]) -> list[str]:
    """Order the names so that each comes behind all in `after[name]`; ties by `key`.

    What is part of a cycle, or behind one, is left out. Every name mentioned must be a key.
    """
    waiting = {name: len(names) for name, names in after.items()}
    followers = inverted(after)
    ready = [(key(name), name) for name, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        order.append(name)
        for follower in followers[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, (key(follower), follower))
    return order


def inverted(edges: Edges) -> dict[str, set[str]]:
    """Turn every edge round."""
    turned: dict[str, set[str]] = {name: set() for name in edges}
    for name, targets in edges.items():
        for target in targets:
            turned[target].add(name)
    return turned


def reachable(edges: Edges, start: str) -> set[str]:
    """Return every name that edges lead to from `start`; itself only if it is on a cycle."""
    found: set[str] = set()
    pending = [start]
    while pending:
        for name in edges.get(pending.pop(), frozenset()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found


def cycles(edges: Edges) -> list[tuple[str, ...]]:
    """Return one shortest cycle for each knot of names that need each other, in a stable order.

    A cycle starts at its smallest name, which is not repeated at the end.
    """
    found: list[tuple[str, ...]] = []
    knotted: set[str] = set()
    for name in sorted(edges):
        reach = reachable(edges, name)
        if name in reach and name not in knotted:
            knotted |= {other for other in reach if name in reachable(edges, other)}
            found.append(_way_round(edges, name))
    return found


def _way_round(edges: Edges, start: str) -> tuple[str, ...]:
    """Return the shortest way from `start` back to it; there is one."""
    ways: deque[tuple[str, ...]] = deque([(start,)])
    seen: set[str] = set()
    while True:
        way = ways.popleft()
        for name in sorted(edges[way[-1]]):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append((*way, name))
