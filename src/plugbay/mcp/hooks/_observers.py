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

    __slots__ = ("chain", "message", "steps")

    def __init__(self, chain: Chain, message: Message, steps: tuple[Step, ...]) -> None:
        self.chain, self.message, self.steps = chain, message, steps

    def rebind(self, chain: Chain) -> None:
        """Be counted there from now on; who sees it is settled."""
        self.chain = chain


class Observers:
    """A bounded queue with one task behind it: a full one drops the oldest and counts it."""

    def __init__(self, bound: int = 4096) -> None:
        self._bound = bound
        self._queue: deque[Observation] = deque()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def put(self, chain: Chain, message: Message, steps: tuple[Step, ...]) -> None:
        """Tell the observers soon."""
        if len(self._queue) >= self._bound:
            self.dropped += 1
            oldest = self._queue.popleft()
            oldest.chain.leave(oldest)
        observation = Observation(chain, message, steps)
        chain.enter(observation)
        self._queue.append(observation)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(0)  # messages come first
        while self._queue:
            one = self._queue.popleft()
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
