"""Lines of a byte stream, of any length up to a cap (MCP, transports: stdio)."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, unless said otherwise."""
KEPT = 4096
"""Bytes kept of either end of a message that is too long: its id may be there."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over the cap: its size, its first and its last bytes."""

    size: int
    head: bytes
    tail: bytes


class LineSplitter:
    """Splits what comes into lines, without the line feed; blank ones are left out.

    A line over `limit` is not kept in memory: it comes out as `TooLong` when it ends.
    """

    __slots__ = ("_begun", "_head", "_limit", "_size", "_tail")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._begun: BytesIO | None = None  # it grows in place, and gives away what it holds
        self._size = 0
        self._head = self._tail = b""

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """Take bytes and return the lines that they complete."""
        complete = data.split(b"\n")
        last = complete.pop()
        lines: list[bytes | TooLong] = []
        if self._size and complete:
            self._add(complete.pop(0))
            line = self._take()
            if isinstance(line, TooLong) or line.strip():
                lines.append(line)
        filled = filter(bytes.strip, complete)
        lines += map(self._capped, filled) if len(data) > self._limit else filled
        self._add(last)
        return lines

    @property
    def rest(self) -> int:
        """Bytes that came behind the last line feed."""
        return self._size

    def _capped(self, line: bytes) -> bytes | TooLong:
        size = len(line)
        return TooLong(size, line[:KEPT], line[-KEPT:]) if size > self._limit else line

    def _add(self, data: bytes) -> None:
        if not data:
            return
        self._size += len(data)
        if self._size <= self._limit:
            if self._begun is None:
                self._begun = BytesIO()
            self._begun.write(data)
            return
        if self._begun is not None:
            kept, self._begun = self._begun.getvalue(), None
            self._head, self._tail = kept[:KEPT], kept[-KEPT:]
        elif not self._head:
            self._head = data[:KEPT]
        self._tail = (self._tail + data)[-KEPT:]

    def _take(self) -> bytes | TooLong:
        line: bytes | TooLong = b"" if self._begun is None else self._begun.getvalue()
        if self._size > self._limit:
            line = TooLong(self._size, self._head, self._tail)
        self._begun, self._size, self._head, self._tail = None, 0, b"", b""
        return line
