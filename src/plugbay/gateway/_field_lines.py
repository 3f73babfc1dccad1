"""Header lines taken apart, remembered: on busy connections nearly all of them repeat.

It is what HPACK does for HTTP/2 (RFC 7541), with the reader's work in place of bytes. Nothing here
judges: llhttp has to accept the whole message before what was read from its lines counts.
"""

from __future__ import annotations

from itertools import filterfalse
from typing import TYPE_CHECKING

from plugbay.gateway._field_names import FieldNames
from plugbay.gateway._once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway._wire import Field, Fields

_ENTRIES = 2048
_LENGTH = 256
_SPACE = ord(" ")
SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"))
"""Fields with credentials, which are not kept."""


class OddLine(ValueError):
    """A line for the general path: folded, bare, with white space behind its value, or special
    and not to be kept."""


class FieldLines(dict[bytes, "Field | None"]):
    """Maps a line to its field, or to None if it is special: then `special` has the field.

    What is not remembered is taken apart again, so a peer that never repeats itself buys time,
    but changes nothing. Credentials are not kept. A look-up raises `OddLine`.
    """

    __slots__ = ("_field", "_is_special", "_names", "_once", "special")

    def __init__(self, is_special: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._names = FieldNames(is_special)
        self._once = Once()
        self.special: dict[bytes, Field] = {}
        self._field = self.__getitem__
        self._is_special = self.special.__contains__

    def take(self, block: bytes, most: int) -> tuple[Fields, Fields, bytes]:
        """Return the fields of a block, the special ones, and the lines of the others.

        Raises `OddLine`, also if there are more than `most`. A line end stands behind each line,
        and a bare CR or LF is for the parser to refuse.
        """
        lines = block.split(b"\r\n")
        count = len(lines)
        if block.count(b"\n") >= count or block.count(b"\r") >= count or count > most:
            raise OddLine
        fields: Fields = list(filter(None, map(self._field, lines)))
        ending = list(filter(self._is_special, lines))
        if len(fields) + len(ending) != count:
            raise OddLine  # there was no room for all of them
        kept = b"\r\n".join((*filterfalse(self._is_special, lines), b""))
        return fields, list(map(self.special.__getitem__, ending)), kept

    def __missing__(self, line: bytes) -> Field | None:
        """Take apart a line that has no CR or LF in it."""
        said, colon, value = line.partition(b":")
        if not colon or line[-1] <= _SPACE:
            raise OddLine
        name = self._names[said]
        if not name:
            self._keep_special(line, said, value)
            return None
        field = name, value.lstrip(b" \t")
        if len(line) <= _LENGTH and name not in SECRET and self._once.again(line):
            self._make_room()
            self[line] = field
        return field

    def _keep_special(self, line: bytes, said: bytes, value: bytes) -> None:
        name = said.lower()
        if not name or len(line) > _LENGTH or name in SECRET:
            raise OddLine
        self._make_room()
        self.special[line] = name, value.lstrip(b" \t")
        self[line] = None

    def _make_room(self) -> None:
        if len(self) >= _ENTRIES:
            self.clear()
            self.special.clear()
