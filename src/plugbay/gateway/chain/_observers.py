"""Tells observers of finished requests, off the requests' path."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from plugbay.gateway.chain._link import FAULTS

if TYPE_CHECKING:
    from plugbay.gateway.chain._chain import Chain
    from plugbay.gateway.chain._observed import Observed
    from plugbay.gateway.exchange._writing import Writing

    Observation = tuple[Chain, Writing | Observed]


class Observers:
    """A bounded queue with one task behind it; a full queue drops the newest and counts it.

    A request is inside its chain until its observers were told, so that a generation is not
    stopped under them.
    """

    def __init__(self, bound: int = 4096) -> None:
        self._bound = bound
        self._queue: deque[Observation] = deque()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def put(self, chain: Chain, exchange: Writing | Observed) -> None:
        """Tell the observers of `chain` soon."""
        if len(self._queue) >= self._bound:
            self.dropped += 1
            chain.leave(exchange)
            return
        self._queue.append((chain, exchange))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while self._queue:
            chain, exchange = self._queue.popleft()
            try:
                await _observe(chain, exchange)
            finally:
                chain.leave(exchange)
            await asyncio.sleep(0)  # requests come first
        self._task = None

    async def close(self) -> None:
        """Tell what is left, then stop."""
        if self._task is not None:
            await self._task


async def _observe(chain: Chain, exchange: Writing | Observed) -> None:
    timing = exchange.timing()
    for link, hook in chain.observers:
        if not link.allowed:
            link.skipped()
            continue
        try:
            async with asyncio.timeout(link.limit):
                done = hook.call(exchange.request, exchange.response, timing)
                if hook.coroutine:
                    await done
        except FAULTS as error:
            link.failed(error, exchange.request)
        else:
            link.succeeded()
