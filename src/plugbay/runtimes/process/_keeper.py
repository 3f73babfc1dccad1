"""Keeps one plugin's process running: one that dies is followed by another, by and by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from plugbay.kernel import Backoff, Invalid, PlugbayError, RestartBudget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.kernel import Clock, Randomness
    from plugbay.sdk import Host

FIRST_DELAY, LONGEST_DELAY = 0.05, 10.0
RESTARTS, WINDOW = 5, 60.0


class Kept(Protocol):
    """A process with what belongs to it."""

    @property
    def ended(self) -> asyncio.Future[int]: ...
    async def end(self) -> None:
        """End it now; nothing of it is left."""
        ...


_Kept = TypeVar("_Kept", bound=Kept)


class Keeper(Generic[_Kept]):
    """Holds the process that runs now. `again` makes the next one, started and ready."""

    def __init__(
        self,
        first: _Kept,
        again: Callable[[], Awaitable[_Kept]],
        *,
        host: Host,
        clock: Clock,
        randomness: Randomness,
        why: Callable[[_Kept], str],
        restarts: int = RESTARTS,
        window: float = WINDOW,
    ) -> None:
        self.current: _Kept | None = first
        self.reason = ""
        """Why nothing runs now."""
        self.restarts = 0
        """How often it was started again."""
        self.given_up = False
        self._again, self._host, self._why = again, host, why
        self._clock = clock
        self._budget = RestartBudget(clock, restarts=restarts, window=window)
        self._backoff = Backoff(
            randomness, first=FIRST_DELAY, factor=4, ceiling=LONGEST_DELAY, jitter=0.2
        )
        self._task: asyncio.Task[None] | None = None
        self.lost: Callable[[_Kept], None] | None = None
        """Called at once when a process has ended."""
        self.waiting: Callable[[], bool] = lambda: False
        """Tells whether `again` has a process at hand, which needs no patience."""

    def watch(self) -> None:
        """Begin to restart it when it ends."""
        self._task = asyncio.create_task(self._watch(), name=f"keeper of {self._host.plugin}")

    async def release(self) -> _Kept | None:
        """Restart nothing any more; return what runs, for the caller to end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        current, self.current = self.current, None
        return current

    async def _watch(self) -> None:
        while (running := self.current) is not None:
            await asyncio.shield(running.ended)
            began, self.current = self._clock.monotonic(), None
            if self.lost is not None:
                self.lost(running)
            await running.end()
            self.reason = self._why(running)
            self._host.log.error("%s", self.reason)
            await self._restart(began)

    async def _restart(self, began: float) -> None:
        attempt = 0
        while self.current is None:
            if not self._budget.spend():
                self.given_up = True
                self._host.log.error("its process ended too often: it is not started again")
                return
            if attempt or not self.waiting():
                await asyncio.sleep(self._backoff.delay(attempt))
            attempt += 1
            try:
                self.current = await self._again()
            except (PlugbayError, Invalid, OSError) as error:
                self.reason = str(error)
                self._host.log.error("its process could not be started again: %s", error)
        self.restarts += 1
        took = (self._clock.monotonic() - began) * 1000
        self._host.log.warning("its process runs again after %.0f ms", took)
