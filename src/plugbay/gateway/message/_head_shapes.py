"""Header sections that have the same names, and of whose values only a few differ: most do.

A client names each of its requests, an upstream says how long each body is: the other lines are
the same. Where values have differed is learned from one section to the next; then only those are
read. As for every line, nothing is judged here: llhttp has to accept the whole message before what
was read from its lines counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.gateway.message._wire import Field, Fields

_MOST = 8
"""With more values that differ, it costs less to read all lines."""


class Shape:
    """What sections have in common, and where they differ."""

    __slots__ = ("_common", "_differing", "_dropped", "_fields", "_parts", "length", "places")

    def __init__(
        self,
        common: list[bytes],
        differing: list[tuple[int, int, bytes]],
        dropped: list[int],
        fields: Fields,
        parts: list[bytes],
        length: int,
    ) -> None:
        """`common`: the lines as received, only the names where they differ; `differing`: where
        that is, and where such a line stands in `parts`, its field in `fields`, under what name;
        `dropped`: where lines differ that do not go on.
        """
        self._common, self._differing, self._dropped = common, tuple(differing), tuple(dropped)
        self._fields, self._parts = fields, parts
        self.length = length
        """Where Content-Length stands in both, if it is among what differs; else -1."""
        self.places = {*(place for place, _, _ in differing), *dropped}

    def fit(self, block: bytes) -> tuple[Fields, list[bytes]] | None:
        """Return the fields and lines of a section of this shape; None if it is of another."""
        # A bare CR or LF ends a line here: then there are too many.
        lines = block.splitlines()
        fields, parts = self._fields.copy(), self._parts.copy()
        try:
            for place, at, name in self._differing:
                line = lines[place]
                lines[place], _, value = line.partition(b": ")
                if not value or value.strip() != value:
                    return None
                fields[at] = name, value
                parts[at] = line
            for place in self._dropped:
                lines[place] = lines[place].partition(b": ")[0]
        except IndexError:
            return None
        return (fields, parts) if lines == self._common else None


def learn_shape(
    lines: list[bytes],
    before: bytes,
    known: Shape | None,
    special: list[tuple[int, Field]],
    fields: Fields,
    parts: list[bytes],
    offset: int,
    length: int = -1,
) -> Shape | None:
    """Return the shape of a section with these `lines`, and of the one `before` it, which is of
    the shape that is `known`. None if they have too little in common.

    `fields` and `parts` are what was made of the lines: those that are not special begin at
    `offset`; `length` is where Content-Length stands. `special` tells where the others stood.
    """
    old = before.splitlines()
    if len(lines) != len(old):
        return None
    places = [at for at, line in enumerate(lines) if line != old[at]]
    if known is not None:
        places = sorted(known.places.union(places))
    if len(places) > _MOST:
        return None
    common, fields, parts = lines.copy(), fields.copy(), parts.copy()
    ends = dict(special)
    differing: list[tuple[int, int, bytes]] = []
    dropped: list[int] = []
    differs = -1
    for place in places:
        said, _, value = lines[place].partition(b": ")
        if not value or value.strip() != value or old[place].partition(b": ")[0] != said:
            return None
        common[place] = said
        name = ends[place][0] if place in ends else b""
        if name == b"x-request-id":
            dropped.append(place)
            continue
        if name == b"content-length":
            at = differs = length
        elif name:
            return None
        else:
            at = offset + place - sum(other < place for other in ends)
        differing.append((place, at, fields[at][0]))
        # What differs may be a secret: it is not kept.
        fields[at], parts[at] = (b"", b""), b""
    return Shape(common, differing, dropped, fields, parts, differs)
