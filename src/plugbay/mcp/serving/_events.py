"""The events of a session's streams, kept for a client that comes back for them.

MCP 2025-11-25, transports: resumability and redelivery. An event's id names its stream and its
place in it, so that only that stream is replayed.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.mcp.serving._stream import Stream

STREAMS = 1024
"""Streams of a session that are known."""
_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")


class Events:
    """What was written, of all streams of a session: the oldest is forgotten first.

    The last event is kept whatever its size, so that a large answer can be fetched again.
    """

    def __init__(self, now: Callable[[], float], *, size: int, seconds: float) -> None:
        self._now, self._most, self._seconds = now, size, seconds
        self._kept: deque[tuple[float, int, int, bytes]] = deque()
        self._size = 0
        self._streams: dict[int, Stream] = {}
        self._last = 0

    @property
    def replays(self) -> bool:
        """Whether events are kept at all."""
        return self._most > 0

    def open(self, stream: Stream) -> int:
        """Know a stream that is written as events; return its number."""
        self._last += 1
        self._streams[self._last] = stream
        if len(self._streams) > STREAMS:
            del self._streams[next(iter(self._streams))]
        return self._last

    def add(self, stream: int, place: int, raw: bytes) -> None:
        """Keep an event."""
        self._kept.append((self._now(), stream, place, raw))
        self._size += len(raw)
        self._trim()

    def _trim(self) -> None:
        old, kept = self._now() - self._seconds, self._kept
        while kept and (kept[0][0] < old or (self._size > self._most and len(kept) > 1)):
            self._size -= len(kept.popleft()[3])

    def forget(self) -> None:
        """Let go of what is too old, and of streams of which nothing is left."""
        self._trim()
        alive = {stream for _, stream, _, _ in self._kept}
        for number in [n for n, one in self._streams.items() if one.over and n not in alive]:
            del self._streams[number]

    def find(self, last: str) -> tuple[Stream, list[tuple[int, bytes]]] | None:
        """Return the stream that an event belongs to, and what came behind that event; None if
        it is not known, or not all of it is there any more."""
        self.forget()
        found = _ID.fullmatch(last)
        stream = self._streams.get(int(found[1])) if found else None
        if found is None or stream is None:
            return None
        if not stream.gone:  # its old connection may not have ended yet
            stream.leave()
        number, after = int(found[1]), int(found[2])
        again = [(place, raw) for _, of, place, raw in self._kept if of == number and place > after]
        return (stream, again) if len(again) == stream.places - after else None
