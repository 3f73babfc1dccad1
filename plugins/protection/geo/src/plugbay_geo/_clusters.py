"""Distinct addresses that are seen near each other within a time."""

from __future__ import annotations

from collections import OrderedDict
from math import cos, dist, radians, sin
from typing import TYPE_CHECKING, NamedTuple

from ._place import EARTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._place import Point

    Cell = tuple[int, int, int]


class _Seen(NamedTuple):
    time: float
    where: tuple[float, float, float]
    cell: Cell


class Clusters:
    """Counts addresses within `radius` km of one and the last `window` seconds; keeps `most`.

    Points are kept in space, and space is cut into cubes of the radius: what is near is in one of
    27 cubes, at the poles and at the date line as anywhere.
    """

    def __init__(self, *, radius: float, window: float, size: int, most: int) -> None:
        self._radius, self._window, self._size, self._most = radius, window, size, most
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._cells: dict[Cell, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, address: str, point: Point, now: float) -> tuple[str, ...]:
        """Take note of an address; return a cluster that it makes, at most `size` of its members.

        Nothing is returned as long as there are fewer.
        """
        self.forget(address)
        self._make_room(now)
        where = _in_space(point)
        x, y, z = (int(axis // self._radius) for axis in where)
        seen = self._seen[address] = _Seen(now, where, (x, y, z))
        self._cells.setdefault(seen.cell, {})[address] = None
        found: list[str] = []
        for other in self._near(seen):
            found.append(other)
            if len(found) == self._size:
                return tuple(found)
        return ()

    def is_fresh(self, address: str, now: float) -> bool:
        """Whether the address was noted so lately that it need not be again."""
        seen = self._seen.get(address)
        return seen is not None and now - seen.time < self._window / 8

    def forget(self, address: str) -> None:
        """Forget an address; it need not be there."""
        seen = self._seen.pop(address, None)
        if seen is not None:
            members = self._cells[seen.cell]
            del members[address]
            if not members:
                del self._cells[seen.cell]

    def _near(self, one: _Seen) -> Iterator[str]:
        x, y, z = one.cell
        cells = [(x + a, y + b, z + c) for a in (0, -1, 1) for b in (0, -1, 1) for c in (0, -1, 1)]
        for cell in cells:
            for address in self._cells.get(cell, ()):
                if dist(one.where, self._seen[address].where) <= self._radius:
                    yield address

    def _make_room(self, now: float) -> None:
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) < self._most and now - self._seen[oldest].time < self._window:
                return
            self.forget(oldest)


def _in_space(point: Point) -> tuple[float, float, float]:
    latitude, longitude = radians(point.latitude), radians(point.longitude)
    ring = EARTH * cos(latitude)
    return ring * cos(longitude), ring * sin(longitude), EARTH * sin(latitude)
