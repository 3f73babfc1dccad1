"""Header sections that differ in a few lines from the one before: most that differ at all do.

A client names each of its requests, an upstream says how long each body is: the other lines are
the same. Then only those few are taken apart again. As for every line, nothing is judged here:
llhttp has to accept the whole message before what was read from its lines counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway.message._field_lines import FieldLines
    from plugbay.gateway.message._wire import Field, Fields

_MOST = 4
"""With more lines that differ, it costs less to read them all."""
_LENGTH = -1
"""The place of Content-Length, which stands elsewhere than it was received."""


class Shape:
    """What two sections have in common, one behind the other, and where they differ."""

    __slots__ = ("_common", "_differing", "_fields", "_known", "_parts")

    def __init__(
        self,
        common: list[bytes],
        differing: Sequence[tuple[int, int]],
        fields: Fields,
        parts: list[bytes],
        known: FieldLines,
    ) -> None:
        """`common`: the lines as received, empty where they differ; `differing`: where that is,
        and where such a line's field stands in `fields`, and the line in `parts`."""
        self._common, self._differing = common, differing
        self._fields, self._parts = fields, parts
        self._known = known

    def fit(self, block: bytes) -> tuple[Fields, list[bytes], Field | None] | None:
        """Return the fields and lines of a section of this shape, and its length if it differs.

        None if it is of another shape. Raises `OddLine`.
        """
        lines = block.split(b"\r\n")
        common, known = self._common, self._known
        if len(lines) != len(common):
            return None
        fields, parts = self._fields.copy(), self._parts.copy()
        length: Field | None = None
        for place, at in self._differing:
            line = lines[place]
            lines[place] = b""
            if at == _LENGTH:
                if known[line] is not None or known.special[line][0] != b"content-length":
                    return None
                length = known.special[line]
                continue
            field = known.fresh(line)
            if field is None:
                return None
            fields[at] = field
            parts[at] = line
        return (fields, parts, length) if lines == common else None


def find_shape(
    block: bytes,
    before: bytes,
    known: FieldLines,
    fields: Fields,
    parts: list[bytes],
    offset: int,
) -> Shape | None:
    """Return the shape of two sections; None if they have too little in common.

    `fields` and `parts` are what was made of `block`: those of the lines that are not special
    begin at `offset`. Raises `OddLine`.
    """
    lines, old = block.split(b"\r\n"), before.split(b"\r\n")
    if len(lines) != len(old):
        return None
    places = [at for at, line in enumerate(lines) if line != old[at]]
    if len(places) > _MOST:
        return None
    differing: list[tuple[int, int]] = []
    for place in places:
        line = lines[place]
        if known[line] is not None:
            before_it = sum(known[other] is not None for other in lines[:place])
            differing.append((place, offset + before_it))
        elif known.special[line][0] == b"content-length":
            differing.append((place, _LENGTH))
        else:
            return None
    for place in places:
        lines[place] = b""
    return Shape(lines, tuple(differing), fields, parts, known)
