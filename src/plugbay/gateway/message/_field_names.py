"""Field names in lower case, remembered: nearly all messages use the same few dozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRIES = 1024
_LENGTH = 64


class FieldNames(dict[bytes, bytes | None]):
    """Maps a name as received to lower case, or to None if it is `special`: to be looked at.

    One look-up for each field, where most are passed on as they are. What is not remembered is
    worked out again, so a peer that makes names up buys time, but changes nothing.
    """

    __slots__ = ("_special",)

    def __init__(self, special: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._special = special

    def __missing__(self, name: bytes) -> bytes | None:
        lower = name.lower()
        known = None if self._special(lower) else lower
        if len(name) <= _LENGTH:
            if len(self) >= _ENTRIES:
                self.clear()
            self[name] = known
        return known
