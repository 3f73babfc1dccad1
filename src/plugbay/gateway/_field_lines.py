"""Header lines taken apart, remembered: on busy connections nearly all of them repeat.

It is what HPACK does for HTTP/2 (RFC 7541), with the reader's work in place of bytes. Nothing here
judges: llhttp has to accept the whole message before what was read from its lines counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway._wire import Field

_ENTRIES = 2048
_LENGTH = 256
_BEHIND = frozenset(b" \t\r\n")
SECRET = frozenset((b"authorization", b"cookie", b"set-cookie"))
"""Fields with credentials, which are not kept."""


class OddLine(ValueError):
    """A line that is left to the parser: folded, bare, or with white space behind its value."""


class FieldLines(dict[bytes, "Field | None"]):
    """Maps a line to its field, or to None if it is special: then `special` has the field.

    What is not remembered is taken apart again, so a peer that never repeats itself buys time,
    but changes nothing. Credentials are not kept. A look-up raises `OddLine`.
    """

    __slots__ = ("_is_special", "special")

    def __init__(self, is_special: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._is_special = is_special
        self.special: dict[bytes, Field] = {}

    def __missing__(self, line: bytes) -> Field | None:
        name, colon, value = line.partition(b":")
        name = name.lower()
        value = value.lstrip(b" \t")
        # The lines were cut at CR LF; a bare one of the two is for the parser to refuse. (`in`
        # would first try its operand as a number, by way of an exception.)
        if not name or not colon or line[-1] in _BEHIND or len(line.splitlines()) > 1:
            raise OddLine
        field = name, value
        special = self._is_special(name)
        if len(self) >= _ENTRIES or len(self.special) >= _ENTRIES:
            self.clear()
            self.special.clear()
        if special:
            self.special[line] = field
        if len(line) <= _LENGTH and name not in SECRET:
            self[line] = None if special else field
        return None if special else field
