"""Header lines taken apart, remembered: on busy connections nearly all of them repeat.

It is what HPACK does for HTTP/2 (RFC 7541), with the reader's work in place of bytes. Nothing here
judges: llhttp has to accept the whole message before what was read from its lines counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.gateway._field_names import FieldNames

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway._wire import Field

_ENTRIES = 2048
_LENGTH = 256
_BEHIND = frozenset(b" \t\r\n")
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

    __slots__ = ("_names", "special")

    def __init__(self, is_special: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._names = FieldNames(is_special)
        self.special: dict[bytes, Field] = {}

    def __missing__(self, line: bytes) -> Field | None:
        said, colon, value = line.partition(b":")
        # The lines were cut at CR LF; a bare one of the two is for the parser to refuse. (`in`
        # would first try its operand as a number, by way of an exception.)
        bare = line.find(b"\n") >= 0 or line.find(b"\r") >= 0
        if not said or not colon or line[-1] in _BEHIND or bare:
            raise OddLine
        name = self._names[said]
        field = name or said.lower(), value.lstrip(b" \t")
        kept = len(line) <= _LENGTH and field[0] not in SECRET
        if name is None:
            if not kept:
                raise OddLine
            self._make_room()
            self.special[line] = field
            self[line] = None
            return None
        if kept:
            self._make_room()
            self[line] = field
        return field

    def _make_room(self) -> None:
        if len(self) >= _ENTRIES:
            self.clear()
            self.special.clear()
