"""The lines of fields that plugins have added to or taken away from, made from what was there.

What is added is remembered: most plugins add the same to every request.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING

from plugbay.gateway.message._field_lines import SECRET
from plugbay.gateway.message._wire import FRAMING, lines

if TYPE_CHECKING:
    from plugbay.gateway.message._wire import Field, Fields

_ENTRIES = 1024
_LENGTH = 256


class AddedLines(dict["Field", bytes]):
    """Maps a field to its line. A look-up raises `Unsendable`, and `KeyError` for framing."""

    __slots__ = ()

    def __missing__(self, field: Field) -> bytes:
        name, value = field
        if name in FRAMING:
            raise KeyError(name)
        line = lines((field,))
        if len(value) <= _LENGTH and name not in SECRET:
            if len(self) >= _ENTRIES:
                self.clear()
            self[field] = line
        return line

    def edited(self, fields: Fields, forward: bytes, raw: Fields, sized: bytes) -> bytes:
        """Return the lines of `raw`: it was `fields`, whose lines are `forward`, before the hooks.

        Most hooks only add fields, or take one away. Framing is not theirs: `sized` is what there
        is of it. Raises `Unsendable`.
        """
        count = len(fields)
        if raw[:count] == fields:
            try:
                if len(raw) == count + 1:
                    return forward + self[raw[count]]
                return b"".join((forward, *map(self.__getitem__, raw[count:])))
            except (KeyError, TypeError):
                pass  # framing among them, or lists for pairs
        elif len(raw) == count - 1 and (less := _less(fields, forward, raw)) is not None:
            return less
        return lines([field for field in raw if field[0] not in FRAMING]) + sized


def _less(fields: Fields, forward: bytes, raw: Fields) -> bytes | None:
    """Return the lines but for that of the one field that is gone; None if it is not just that."""
    at = [*map(is_, fields, raw), False].index(False)
    name, value = fields[at]
    said = forward.split(b"\r\n")
    if raw[at:] != fields[at + 1 :] or name in FRAMING or at >= len(said):
        return None
    as_sent, _, text = said[at].partition(b":")
    if as_sent.lower() != name or text.strip(b" \t") != value:
        return None
    del said[at]
    return b"\r\n".join(said)
