"""Lines of a byte stream, of any length up to a cap (MCP, transports: stdio)."""

from __future__ import annotations

from dataclasses import dataclass

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

    __slots__ = ("_head", "_limit", "_parts", "_size", "_tail")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head = self._tail = b""

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """Take bytes and return the lines that they complete."""
        first, *others = data.split(b"\n")
        if not others:
            self._add(first)
            return []
        self._add(first)
        lines = [self._take()]
        for line in others[:-1]:
            size = len(line)
            over = size > self._limit
            lines.append(TooLong(size, line[:KEPT], line[-KEPT:]) if over else line)
        self._add(others[-1])
        return [line for line in lines if isinstance(line, TooLong) or line.strip()]

    @property
    def rest(self) -> int:
        """Bytes that came behind the last line feed."""
        return self._size

    def _add(self, data: bytes) -> None:
        if not data:
            return
        self._size += len(data)
        if self._size <= self._limit:
            self._parts.append(data)
            return
        if self._parts:
            self._head = b"".join(self._parts)[:KEPT]
            self._tail = b"".join(self._parts)[-KEPT:]
            self._parts.clear()
        elif not self._head:
            self._head = data[:KEPT]
        self._tail = (self._tail + data)[-KEPT:]

    def _take(self) -> bytes | TooLong:
        line: bytes | TooLong
        if self._size > self._limit:
            line = TooLong(self._size, self._head, self._tail)
        else:
            line = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size, self._head, self._tail = [], 0, b"", b""
        return line
