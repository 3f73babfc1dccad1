"""The picture of who needs whom: plugins in columns, each to the right of what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOX_WIDTH, BOX_HEIGHT = 168, 44
GAP_X, GAP_Y, MARGIN = 72, 20, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A plugin in its place."""

    id: str
    label: str
    state: str
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`needs` must be there for `id`; `path` is the `d` of an SVG path between the two."""

    id: str
    needs: str
    path: str
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of it, and its size."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    box: tuple[int, int] = (BOX_WIDTH, BOX_HEIGHT)


def draw(needs: Mapping[str, Sequence[str]], labels: Mapping[str, tuple[str, str]]) -> Picture:
    """Draw `needs`; `labels` are text and state by id, and what has none is missing."""
    everyone = sorted({*needs, *(name for names in needs.values() for name in names)})
    columns = _columns(everyone, needs)
    places = {
        id: (MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y))
        for column, ids in enumerate(columns)
        for row, id in enumerate(ids)
    }
    nodes = tuple(
        Node(id=id, label=label, state=state, x=places[id][0], y=places[id][1])
        for id in everyone
        for label, state in (labels.get(id, (id, "missing")),)
    )
    edges = tuple(
        Edge(id=id, needs=name, path=_path(places[name], places[id]), missing=name not in labels)
        for id in sorted(needs)
        for name in sorted(needs[id])
    )
    width = 2 * MARGIN + len(columns) * (BOX_WIDTH + GAP_X) - GAP_X
    tallest = max((len(ids) for ids in columns), default=0)
    height = 2 * MARGIN + tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y
    return Picture(nodes=nodes, edges=edges, width=max(width, 0), height=max(height, 0))


def _columns(everyone: Sequence[str], needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Each plugin one column behind the last one that it needs; a circle ends the walk."""
    depths: dict[str, int] = {}

    def depth(id: str, above: frozenset[str]) -> int:
        if id in above:
            return 0
        if id not in depths:
            inner = above | {id}
            depths[id] = max((1 + depth(name, inner) for name in needs.get(id, ())), default=0)
        return depths[id]

    columns: list[list[str]] = []
    for id in everyone:
        place = depth(id, frozenset())
        while len(columns) <= place:
            columns.append([])
        columns[place].append(id)
    return columns


def _path(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT // 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"
