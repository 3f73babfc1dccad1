"""Links whose messages are late, come twice, or are lost with the link; in order inside a link."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from tests.simulation.world import World

    from plugbay.control import Message


class End:
    """One end of a link; implements `Link`."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.peer: End
        self.closed = False
        self._inbox: deque[Message] = deque()
        self._news = asyncio.Event()
        self._latest = 0.0

    def send(self, message: Message) -> None:
        world = self.world
        if self.closed:
            raise Unavailable("the link is closed")
        world.trace("send", self.name, type(message).__name__, getattr(message, "ticket", ""))
        world.sent(self, message)
        if world.strike("break"):
            self.close()
            return
        due = max(self._latest, world.loop.time() + world.latency())
        self._latest = due
        copies = 2 if world.strike("duplicate") else 1
        for _ in range(copies):
            world.loop.call_at(due, self.peer.take, message, context=NOWHERE.copy())
            self._latest = due = due + 1e-6

    def take(self, message: Message) -> None:
        """The network delivers."""
        if not self.closed:
            self._inbox.append(message)
            self._news.set()
            self.world.delivered(self, message)

    def __aiter__(self) -> End:
        return self

    async def __anext__(self) -> Message:
        while not self._inbox:
            if self.closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._inbox.popleft()

    def close(self) -> None:
        """Both ends see it: this one now, the other one after a while."""
        if not self.closed:
            self.shut()
            loop = self.world.loop
            loop.call_later(self.world.latency(), self.peer.shut, context=NOWHERE.copy())

    def shut(self) -> None:
        """This end is closed; what has arrived is still read, what is on its way is lost."""
        self.closed = True
        self._news.set()


NOWHERE: contextvars.Context = contextvars.Context()
"""The network belongs to no process."""


def link(world: World, worker: str) -> tuple[Any, Any]:
    """Make a link; the worker's end first."""
    ours, theirs = End(world, f"{worker}>"), End(world, f">{worker}")
    ours.peer, theirs.peer = theirs, ours
    return ours, theirs
