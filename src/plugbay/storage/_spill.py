"""Bytes that gather: in memory while they are few, and from a size on in a file without a name.

What is whole before it goes on would else be in memory as long as it takes to come and to go, once
for each peer. The file is gone when nobody holds it. Where there is no room for it, all stays in
memory.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 1 << 20
"""Bytes that are kept in memory."""
SLICE = 256 * 1024
"""Bytes that are read at once where all are not needed at once."""


class Spill:
    """Grows by `write`, and is read as often as one likes. Reading raises `OSError`."""

    __slots__ = ("_file", "_in_file", "_no_room", "_parts", "size")

    def __init__(self) -> None:
        self.size = 0
        self._file = -1
        self._in_file = 0
        self._no_room = False
        self._parts: list[bytes] = []
        """What stands behind that which is in the file."""

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._parts.append(data)
        self.size += len(data)
        if self.size > LARGE and not self._no_room:
            self._spill()

    def read(self, begin: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `begin` to `end`."""
        end = self.size if end is None else min(end, self.size)
        if self._parts:
            whole = b"".join((self._pread(0, self._in_file), *self._parts))
            return whole[begin:end]
        return self._pread(begin, end)

    def slices(self, begin: int = 0) -> Iterator[bytes]:
        """Return the bytes from `begin` on, in parts."""
        for at in range(begin, self._in_file, SLICE):
            yield self._pread(at, min(at + SLICE, self._in_file))
        behind = self._in_file
        for part in self._parts:
            yield part[max(0, begin - behind) :]
            behind += len(part)

    def close(self) -> None:
        """Give up the file; nothing is there any more."""
        file, self._file = self._file, -1
        self._parts.clear()
        self.size = self._in_file = 0
        if file >= 0:
            os.close(file)

    def __del__(self) -> None:
        self.close()

    def _spill(self) -> None:
        parts = self._parts
        try:
            if self._file < 0:
                self._file = _unnamed()
            while parts:
                written = os.pwrite(self._file, parts[0], self._in_file)
                self._in_file += written
                if written < len(parts[0]):
                    parts[0] = parts[0][written:]
                else:
                    del parts[0]
        except OSError:
            self._no_room = True

    def _pread(self, begin: int, end: int) -> bytes:
        if begin >= end:
            return b""
        found = os.pread(self._file, end - begin, begin)
        if len(found) < end - begin:
            raise OSError("a temporary file is shorter than what was written")
        return found


def _unnamed() -> int:
    """Open a file without a name. Raises `OSError`."""
    try:
        folder = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 -- the file gets no name in it
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        import tempfile  # it weighs as much as half a large message: few systems need it

        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
