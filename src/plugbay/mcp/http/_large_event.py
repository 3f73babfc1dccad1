"""An event of megabytes: it gathers in a file, and is in memory once while hooks look at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, final

from plugbay.storage import Spill

if TYPE_CHECKING:
    from collections.abc import Iterator

END = re.compile(rb"\n\n|\n\r\n|\r\r|\n\r(?=[^\n])")
"""Behind the text of a line, which ends with LF, CR LF or CR. Alternatives that begin alike are
found nine times as quickly as what begins with something optional."""
LONGEST_END = 3
BEGIN = re.compile(rb"(?:(?:event|id|retry):[^\r\n]*\r?\n)*data: ?")
"""What stands before the data of an event that has one line of it, as servers write them."""
_LINE_ENDS = re.compile(rb"\r?\n\r?\n\Z")
_HEAD, _TAIL = 4096, 4


@final
class LargeEvent:
    """Grows by `feed`; reading it raises `OSError`."""

    __slots__ = ("_last", "_spill")

    def __init__(self, begun: bytes) -> None:
        self._spill = Spill()
        self._spill.write(begun)
        self._last = begun[1 - LONGEST_END :]

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._spill.size

    def feed(self, data: bytes) -> int | None:
        """Take what is of this event; return where in `data` it ends, None if it goes on."""
        seen = self._last + data
        found = END.search(seen)
        if found is None:
            self._spill.write(data)
            self._last = seen[1 - LONGEST_END :]
            return None
        end = found.end() - len(self._last)
        self._spill.write(data[:end])
        return end

    def read(self) -> bytes:
        """Return all of it."""
        return self._spill.read()

    def slices(self) -> Iterator[bytes]:
        """Return all of it, in parts."""
        return self._spill.slices()

    def data(self) -> bytes | None:
        """Return its data, if it is one line behind others that are short; else None."""
        spill = self._spill
        begin = BEGIN.match(spill.read(0, _HEAD))
        end = _LINE_ENDS.search(spill.read(spill.size - _TAIL))
        if begin is None or end is None:
            return None
        found = spill.read(begin.end(), spill.size - len(end[0]))
        return None if found.find(b"\n") >= 0 or found.find(b"\r") >= 0 else found

    def with_data(self, data: bytes) -> tuple[bytes, bytes, bytes]:
        """Return the event with other data, in parts; what it has must be one line."""
        begin = BEGIN.match(self._spill.read(0, _HEAD))
        return b"data: " if begin is None else begin[0], data, b"\n\n"
