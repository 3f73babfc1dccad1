"""Tells plugins that only look on, from behind the messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from plugbay.mcp._malformed import Malformed
from plugbay.mcp.hooks._deadline import within
from plugbay.mcp.hooks._member import FAULTS

if TYPE_CHECKING:
    from plugbay.mcp.hooks._chain import Chain
    from plugbay.mcp.hooks._step import Step
    from plugbay.sdk import Message


class Observation:
    """A message and who wants to see it; inside its chain until they have."""

    __slots__ = ("chain", "message", "size", "steps")

    def __init__(self, chain: Chain, message: Message, steps: tuple[Step, ...]) -> None:
        self.chain, self.message, self.steps = chain, message, steps
        self.size = len(message.raw)

    def rebind(self, chain: Chain) -> None:
        """Be counted there from now on; who sees it is settled."""
        self.chain = chain


class Observers:
    """A bounded queue with one task behind it: a full one drops the oldest and counts it.

    The bounds are a number of messages and a number of bytes; the newest is kept, however large.
    """

    def __init__(self, bound: int = 4096, size: int = 4 * 1024 * 1024) -> None:
        self._bound, self._most = bound, size
        self._queue: deque[Observation] = deque()
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def put(self, chain: Chain, message: Message, steps: tuple[Step, ...]) -> None:
        """Tell the observers soon."""
        queue, observation = self._queue, Observation(chain, message, steps)
        self._size += observation.size
        while queue and (len(queue) >= self._bound or self._size > self._most):
            self.dropped += 1
            oldest = queue.popleft()
            self._size -= oldest.size
            oldest.chain.leave(oldest)
        chain.enter(observation)
        queue.append(observation)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(0)  # messages come first
        while self._queue:
            one = self._queue.popleft()
            self._size -= one.size
            try:
                for step in one.steps:
                    await self._show(step, one.message)
            finally:
                one.chain.leave(one)
            await asyncio.sleep(0)
        self._task = None

    async def _show(self, step: Step, message: Message) -> None:
        link = step.link
        if step.targeted and not link.about(message):
            return
        if not link.allowed():
            link.skipped()
            return
        try:
            done = step.call(message)
            if step.coroutine:
                await within(link.seconds, done)
        except Malformed:
            link.series.skipped += 1  # it has not judged what cannot be read
        except FAULTS as error:
            link.failed(error)
        else:
            link.worked(0.0)
            link.series.passed += 1

    async def close(self, seconds: float = 2.0) -> None:
        """Tell what is left, for a moment; the rest counts as dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._task is not None:
                    await self._task
        if self._task is not None:
            self._task.cancel()
            self.dropped += len(self._queue)
