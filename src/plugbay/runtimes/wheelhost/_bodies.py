"""Bodies that come and go in chunks, with credit in both directions."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping

    Send = Callable[[dict[str, Any]], None]

WINDOW = 256 * 1024
"""Bytes that either side may send before it is told that some were used."""


class Pipe:
    """Both ends of the body of one call."""

    def __init__(self, id: int, send: Send) -> None:
        self._id, self._send = id, send
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._credit, self._used = WINDOW, 0
        self._changed = asyncio.Event()

    def take(self, what: str, value: Mapping[str, Any]) -> None:
        """Take a chunk, or credit."""
        if what == "chunk":
            if data := value.get("data", b""):
                self._chunks.append(data)
            self._ended = self._ended or value.get("end", False)
        elif what == "credit":
            self._credit += value.get("bytes", 0)
        self._changed.set()

    async def incoming(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the body that comes."""
        while True:
            while self._chunks:
                data = self._chunks.popleft()
                yield data
                self._use(len(data))
            if self._ended:
                return
            await self._change()

    async def send(self, chunks: AsyncIterable[bytes]) -> None:
        """Send the chunks, as there is room for them, and the end."""
        iterator: Any = aiter(chunks)
        if hasattr(iterator, "aclose"):
            async with aclosing(iterator):
                await self._send_all(iterator)
        else:
            await self._send_all(iterator)
        self._send({"id": self._id, "chunk": {"end": True}})

    async def _send_all(self, chunks: AsyncIterator[Any]) -> None:
        async for data in chunks:  # what it yields is the plugin's affair: it is looked at
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"a body's chunk is bytes, not {type(data).__name__}")
            view: memoryview[int] = memoryview(data)  # pyright: ignore[reportUnknownArgumentType] - a memoryview of any type has bytes
            while view:
                while self._credit <= 0:
                    await self._change()
                part, view = view[: self._credit], view[self._credit :]
                self._credit -= len(part)
                self._send({"id": self._id, "chunk": {"data": bytes(part)}})

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _use(self, size: int) -> None:
        self._used += size
        if self._used >= WINDOW // 4:
            used, self._used = self._used, 0
            self._send({"id": self._id, "credit": {"bytes": used}})
