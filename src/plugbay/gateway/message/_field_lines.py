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

    def read(self, lines: list[bytes]) -> tuple[Fields, list[bytes], Fields]:
        """Return the fields of `lines`, their lines, and the special fields. Raises `OddLine`."""
        fields: Fields = []
        kept: list[bytes] = []
        special: Fields = []
        for line in lines:
            field = self[line]
            if field is None:
                special.append(self.special[line])
            else:
                fields.append(field)
                kept.append(line)
        return fields, kept, special

    def fresh(self, line: bytes) -> Field | None:
        """Take a line apart that is not worth remembering; None if it is special.

        The lines were cut at CR LF; a bare one of the two is for the parser to refuse: `OddLine`.
        """
        said, colon, value = line.partition(b":")
        # (`in` would first try its operand as a number, by way of an exception.)
        bare = line.find(b"\n") >= 0 or line.find(b"\r") >= 0
        if bare or not said or not colon or line[-1] <= _SPACE:
            raise OddLine
        name = self.names[said]
        return None if name is None else (name, value.lstrip(b" \t"))

    def __missing__(self, line: bytes) -> Field | None:
        field = self.fresh(line)
        if field is None:
            said, _, value = line.partition(b":")
            name = said.lower()
            if len(line) > _LENGTH or name in SECRET:
                raise OddLine
            self._make_room()
            self.special[line] = name, value.lstrip(b" \t")
            self[line] = None
        elif len(line) <= _LENGTH and field[0] not in SECRET and self._once.again(line):
            self._make_room()
            self[line] = field
        return field

    def _make_room(self) -> None:
        if len(self) >= _ENTRIES:
            self.clear()
            self.special.clear()
