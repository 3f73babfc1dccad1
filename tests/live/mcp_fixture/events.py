"""Events that a client can come back for."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from mcp.server.streamable_http import EventMessage, EventStore


class Events(EventStore):
    """Keeps the events of each stream, so that a client can come back for them."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        self._last = 0

    async def store_event(self, stream_id: str, message: Any) -> str:
        self._last += 1
        self._streams[stream_id].append((self._last, message))
        return str(self._last)

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        last = int(last_event_id)
        for stream, events in self._streams.items():
            if any(number == last for number, _ in events):
                for number, message in events:
                    if number > last and message is not None:
                        await send_callback(EventMessage(message, str(number)))
                return stream
        return None
