"""A body that comes so slowly that the client wastes its time, and we do not waste ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Drip:
    """The body of a response that holds its client: a few bytes now and then, up to an end.

    The data plane takes such a connection out of the exchange, which ends for its plugins at
    once, and keeps no more of it than a descriptor. Where it cannot (TLS, unsent bytes before) it
    iterates over this as over any body. It does not take the connection at all, and sends the
    head without a body, if `most` are held already, `per_client` of this client's, or if
    descriptors would run short for other clients.

    `ended` is called once when the connection has gone, was let go, or was not taken.
    """

    __slots__ = ("data", "ended", "interval", "let_go", "most", "per_client", "seconds", "taken")

    def __init__(
        self,
        *,
        interval: float = 10.0,
        seconds: float = 300.0,
        data: bytes = b" ",
        most: int = 1000,
        per_client: int = 8,
        ended: Callable[[Drip], None] | None = None,
    ) -> None:
        if interval <= 0 or seconds <= 0 or not data:
            raise ValueError("interval and seconds must be more than 0, and data not empty")
        self.interval, self.seconds, self.data = interval, seconds, data
        self.most, self.per_client = most, per_client
        self.ended = ended
        self.taken = False
        """Whether the data plane holds the connection, or held it."""
        self.let_go: Callable[[], None] | None = None
        """Set by the data plane while it holds the connection."""

    def release(self) -> None:
        """Let the client go: its connection is closed."""
        if self.let_go is not None:
            self.let_go()

    def over(self) -> None:
        """The connection is not held any more; for the data plane."""
        self.let_go = None
        ended, self.ended = self.ended, None
        if ended is not None:
            ended(self)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        left = self.seconds
        released = asyncio.Event()
        self.let_go = released.set
        try:
            while left > 0:
                yield self.data
                step = min(self.interval, left)
                left -= step
                try:
                    async with asyncio.timeout(step):
                        await released.wait()
                    return
                except TimeoutError:
                    continue
        finally:
            self.over()
