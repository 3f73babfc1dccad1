"""What one HTTP response carries: messages, in order, until it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plugbay.mcp._codec import Id

RETRY = 1000
"""Milliseconds after which a client may come back."""
KEPT = 4 * 1024 * 1024
"""Bytes that wait for a client before its server does."""


class Keeping(Protocol):
    """Where the events of streams are kept for clients that come back."""

    @property
    def replays(self) -> bool:
        """Whether events are kept at all."""
        ...

    def open(self, stream: Stream) -> int:
        """Know a stream that is written as events; return its number."""
        ...

    def add(self, stream: int, place: int, raw: bytes) -> None:
        """Keep an event."""
        ...


class Stream:
    """Messages for one response. `id` is the request that it answers; None: it answers none.

    With `events` a client that has lost its connection may come back for what it has missed, once
    the response has begun as a stream of events.
    """

    __slots__ = (
        "_again",
        "_ended",
        "_events",
        "_messages",
        "_news",
        "_number",
        "_popped",
        "_room",
        "_size",
        "gone",
        "hears",
        "id",
        "places",
        "primes",
        "reader",
    )

    def __init__(
        self, id: Id = None, events: Keeping | None = None, *, primes: bool = False
    ) -> None:
        self.id = id
        self.gone = False
        """Whether its client has gone."""
        self.primes = primes
        """Whether its client knows events that only say where it stands (2025-11-25)."""
        self.places = 0
        """How many events there were."""
        self.hears: Callable[[bytes], None] | None = None
        """Is told of the message that ends it."""
        self._events, self._number = events, 0
        self._messages: deque[bytes] = deque()
        self._again: deque[tuple[int, bytes]] = deque()
        self._size = self.reader = self._popped = 0
        self._ended = False
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    # --- from the server

    @property
    def full(self) -> bool:
        """Whether the client does not keep up."""
        return self._size > KEPT

    @property
    def over(self) -> bool:
        """Whether nothing more is put into it."""
        return self._ended

    @property
    def lost(self) -> bool:
        """Whether its client has gone for good."""
        return self.gone and not self._number

    def put(self, raw: bytes) -> None:
        """Add a message."""
        if self._ended or self.lost:
            return
        if self.gone:
            self._note(raw)
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
            if self.hears is not None:
                self.hears(raw)
        self._ended = True
        self._news.set()

    async def room(self, seconds: float) -> bool:
        """Wait until the client has caught up; False if it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return False
        return True

    # --- to the client

    @property
    def resumable(self) -> bool:
        """Whether its client could come back for it, were it written as events."""
        return self.primes and self._events is not None and self._events.replays

    def attach(self) -> int:
        """Read it from now on, and nobody else; return a number for `next`."""
        self.reader += 1
        self._news.set()
        return self.reader

    def leave(self) -> None:
        """The client has gone; it may come back if it can know where it stood."""
        self.gone = True
        if self._number:
            for raw in self._messages:
                self._note(raw)
        self._messages.clear()
        self._again.clear()
        self._size = 0
        self._room.set()

    def resume(self, again: Iterable[tuple[int, bytes]]) -> None:
        """The client is back, and wants these first."""
        self.gone = False
        self._again.extend(again)
        self._news.set()

    async def next(self, seconds: float, reader: int = 0) -> tuple[bytes, bool] | None:
        """Return the next message and whether it is the last; None if none comes in time, and
        an empty one if it has ended without, or somebody else reads it."""
        if not (self._messages or self._again or self._ended):
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        if reader != self.reader:
            return b"", True
        self._popped = 0
        if self._again:
            self._popped, raw = self._again.popleft()
        elif self._messages:
            raw = self._messages.popleft()
            self._size -= len(raw)
            if not self.full:
                self._room.set()
        else:
            return (b"", True) if self._ended else None
        return raw, self._ended and not (self._messages or self._again)

    # --- events

    def begin(self) -> bytes:
        """It is written as events from now on; return the first, which says where it begins."""
        if self._number or self._events is None or not self._events.replays:
            return b""  # it was begun before and goes on, or nothing is kept
        self._number = self._events.open(self)
        return b"id: %d-0\nretry: %d\ndata: \n\n" % (self._number, RETRY) if self.primes else b""

    def event_id(self, raw: bytes) -> bytes:
        """Return the line with the id of the message that `next` has returned; empty: none."""
        if not self._number:
            return b""
        place = self._popped or self._note(raw)
        return b"id: %d-%d\n" % (self._number, place)

    def _note(self, raw: bytes) -> int:
        self.places += 1
        if self._events is not None:
            self._events.add(self._number, self.places, raw)
        return self.places
