"""The steps of a generation's life, run on the plugin's own code: load, start, stop and so on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from plugbay.kernel._errors import (
    LoadFailed,
    PluginError,
    RestoreFailed,
    StartFailed,
    Unhealthy,
)
from plugbay.kernel._guard import Culprit, Guard, to_the_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugbay.kernel._generation import Generation
    from plugbay.kernel._ports import Instance

_T = TypeVar("_T")

PROBLEMS_KEPT = 32
LONGEST_START = 60.0
"""Seconds that a manifest may ask for at most."""


class Lifecycle:
    """Brings generations of one plugin up and puts them down.

    Each step has a deadline: what the manifest asks for, at most `start_seconds`, and
    `stop_seconds` for `stop`. `problems` holds the last failures of `stop`, which hold up
    nothing and so are raised to nobody.
    """

    def __init__(self, plugin: str, *, start_seconds: float, stop_seconds: float) -> None:
        self.plugin = plugin
        self.problems: deque[str] = deque(maxlen=PROBLEMS_KEPT)
        self._start_seconds, self._stop_seconds = start_seconds, stop_seconds
        self._guard = Guard()

    async def load(self, fresh: Generation) -> None:
        """Build the instance. Raises `PluginError`; then nothing is left of it."""
        wanted = True

        async def load() -> None:
            instance = await fresh.load(fresh.number)
            if wanted:
                fresh.instance = instance
            else:  # it ignored its cancellation and came back after all
                await self._stop(instance, fresh.number)

        try:
            await self._step(load, LoadFailed, "load", fresh)
        except BaseException:
            wanted = False
            await self.put_down(fresh)
            raise

    async def start(self, fresh: Generation, state: bytes | None) -> None:
        """Start what was loaded and ask for its health. Raises `PluginError`, with it stopped."""
        instance = running(fresh)
        try:
            await self._step(instance.start, StartFailed, "start", fresh)
            if state is not None:
                await self._step(lambda: instance.restore(state), RestoreFailed, "restore", fresh)
            await self._step(instance.health, Unhealthy, "health", fresh)
        except BaseException:
            await self.put_down(fresh)
            raise

    async def bring_up(self, fresh: Generation, state: bytes | None) -> None:
        """Load and start. Raises `PluginError`; then it is stopped."""
        await self.load(fresh)
        await self.start(fresh, state)

    async def snapshot(self, old: Generation) -> bytes | None:
        """Return its state; None if it keeps none, or is not running any more."""
        if old.instance is None:
            return None
        return await self._step(old.instance.snapshot, RestoreFailed, "snapshot", old)

    async def put_down(self, generation: Generation) -> tuple[str, ...]:
        """Stop the instance, once, whatever happens; return what went wrong."""
        instance, generation.instance = generation.instance, None
        if instance is None:
            return ()
        return await to_the_end(self._stop(instance, generation.number))

    async def _stop(self, instance: Instance, number: int) -> tuple[str, ...]:
        try:
            await self._guard.run(instance.stop, self._stop_seconds)
        except Culprit as culprit:
            problem = f"generation {number}: stop {culprit}"
            self.problems.append(problem)
            return (problem,)
        return ()

    async def _step(
        self,
        step: Callable[[], Awaitable[_T]],
        error: type[PluginError],
        name: str,
        who: Generation,
    ) -> _T:
        asked = who.manifest.limits.start_ms / 1000
        try:
            return await self._guard.run(step, min(self._start_seconds, asked))
        except Culprit as culprit:
            if isinstance(culprit.__cause__, PluginError):
                raise culprit.__cause__ from None
            detail = f"{name} {culprit}"
            raise error(self.plugin, detail, generation=who.number) from culprit.__cause__


def running(generation: Generation) -> Instance:
    """Return its instance. Raises `RuntimeError` if there is none: that is our own mistake."""
    if generation.instance is None:
        raise RuntimeError(f"{generation.plugin}: generation {generation.number} is not running")
    return generation.instance
