"""What one HTTP response carries: messages, in order, until it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.mcp._codec import Id

KEPT = 4 * 1024 * 1024
"""Bytes that wait for a client before its server does."""


class Stream:
    """Messages for one response. `id` is the request that it answers; None: it answers none."""

    __slots__ = ("_ended", "_messages", "_news", "_room", "_size", "gone", "id")

    def __init__(self, id: Id = None) -> None:
        self.id = id
        self.gone = False
        """Whether its client has gone."""
        self._messages: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether the client does not keep up."""
        return self._size > KEPT

    def put(self, raw: bytes) -> None:
        """Add a message."""
        if self._ended or self.gone:
            return
        self._messages.append(raw)
        self._size += len(raw)
        if self.full:
            self._room.clear()
        self._news.set()

    def end(self, raw: bytes = b"") -> None:
        """Nothing more comes, but for this."""
        if raw:
            self.put(raw)
        self._ended = True
        self._news.set()

    def leave(self) -> None:
        """The client has gone."""
        self.gone = True
        self._messages.clear()
        self._size = 0
        self._room.set()

    async def room(self, seconds: float) -> bool:
        """Wait until the client has caught up; False if it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return False
        return True

    async def next(self, seconds: float) -> tuple[bytes, bool] | None:
        """Return the next message and whether it is the last; None if none comes in time, and
        an empty one if it has ended without."""
        if not self._messages and not self._ended:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        if not self._messages:
            return b"", True
        raw = self._messages.popleft()
        self._size -= len(raw)
        if not self.full:
            self._room.set()
        return raw, self._ended and not self._messages
