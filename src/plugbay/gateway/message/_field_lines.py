"""Header lines taken apart, remembered: on busy connections nearly all of them repeat.

It is what HPACK does for HTTP/2 (RFC 7541), with the reader's work in place of bytes. Nothing here
judges: llhttp has to accept the whole message before what was read from its lines counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway.message._field_names import FieldNames
from plugbay.gateway.message._once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway.message._wire import Field, Fields

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

    __slots__ = ("_once", "names", "special")

    def __init__(self, is_special: Callable[[bytes], bool]) -> None:
        super().__init__()
        self.names = FieldNames(is_special)
        self._once = Once()
        self.special: dict[bytes, Field] = {}

    def read(
        self, block: bytes
    ) -> tuple[list[bytes], Fields, list[bytes], list[tuple[int, Field]]]:
        """Take a section apart. Raises `OddLine`.

        Returns its lines; the fields of those that are not special, and these lines; and where
        the special ones stand, with their fields.
        """
        lines = block.split(b"\r\n")
        if len(block.splitlines()) != len(lines):
            raise OddLine  # a bare CR or LF is for the parser to refuse
        fields: Fields = []
        kept: list[bytes] = []
        special: list[tuple[int, Field]] = []
        for line in lines:
            field = self[line]
            if field is None:
                special.append((len(kept) + len(special), self.special[line]))
            else:
                fields.append(field)
                kept.append(line)
        return lines, fields, kept, special

    def __missing__(self, line: bytes) -> Field | None:
        said, colon, value = line.partition(b":")
        if not said or not colon or line[-1] <= _SPACE:
            raise OddLine
        name = self.names[said]
        value = value.lstrip(b" \t")
        if name is None:
            name = said.lower()
            if len(line) > _LENGTH or name in SECRET:
                raise OddLine
            self._make_room()
            self.special[line] = name, value
            self[line] = None
            return None
        field = name, value
        if len(line) <= _LENGTH and name not in SECRET and self._once.again(line):
            self._make_room()
            self[line] = field
        return field

    def _make_room(self) -> None:
        if len(self) >= _ENTRIES:
            self.clear()
            self.special.clear()
