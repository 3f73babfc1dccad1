"""Server-sent events, split without losing a byte (HTML, 9.2: server-sent events)."""

from __future__ import annotations

import re

from plugbay.mcp._framing import MAX_MESSAGE

_END = re.compile(rb"\n\n|\n\r\n|\r\r")
"""Behind the text of a line. Alternatives that begin alike are found nine times as quickly as what
begins with something optional."""
_LINES = re.compile(rb"\r\n|\n|\r")
_USUAL = re.compile(rb"(?:event: ?[^\r\n]*\r?\n)?data: ?([^\r\n]*)\r?\n\r?\n")
"""An event with one line of data, as servers write them."""
_LONGEST_END = 3


class EventTooLong(Exception):
    """An event is longer than the cap."""


class EventSplitter:
    """Splits a stream into events; each comes with its blank line, exactly as it was sent."""

    __slots__ = ("_buffer", "_limit", "_seen")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._seen = 0
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the events that they complete. Raises `EventTooLong`."""
        buffer = self._buffer
        if not buffer and (end := _END.search(data)) is not None and end.end() == len(data):
            return [data]
        buffer += data
        events: list[bytes] = []
        begin = 0
        while (end := _END.search(buffer, max(begin, self._seen))) is not None:
            with memoryview(buffer) as view:  # a slice of the buffer would be one more copy
                events.append(bytes(view[begin : end.end()]))
            begin = self._seen = end.end()
        if begin:
            del buffer[:begin]
        self._seen = max(0, len(buffer) - _LONGEST_END + 1)
        if len(buffer) > self._limit:
            raise EventTooLong(f"an event is longer than {self._limit} bytes")
        return events

    @property
    def rest(self) -> bytes:
        """What came behind the last event."""
        return bytes(self._buffer)


def event_data(event: bytes) -> bytes:
    """Return the data of an event; empty for a comment and for an event without data."""
    usual = _USUAL.fullmatch(event)
    if usual is not None:
        return usual[1]
    found: list[bytes] = []
    for line in _LINES.split(event):
        if line.startswith(b"data:"):
            value = line[5:]
            found.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(found)


def with_data(event: bytes, data: bytes) -> bytes:
    """Return the event with other data in one line; `id`, `event` and `retry` stay."""
    kept = [line for line in _LINES.split(event) if line and not _is_data(line)]
    return b"\n".join([*kept, b"data: " + data]) + b"\n\n"


def _is_data(line: bytes) -> bool:
    return line == b"data" or line.startswith(b"data:")
