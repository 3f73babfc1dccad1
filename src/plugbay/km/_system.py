"""All plugins of Kilometers that there are, before one stream of messages."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Literal

from plugbay.km._authorization import Authorizations
from plugbay.km._start import Terms
from plugbay.km._status import State
from plugbay.km._supervised import SECONDS, Supervised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from plugbay.isolation import Sandbox
    from plugbay.kernel import Clock
    from plugbay.km._config import KmConfig
    from plugbay.km._discovery import Found
    from plugbay.km._status import Status
    from plugbay.km._voice import Voice
    from plugbay.runtimes.process import KmPlugin

LOADING, DRAIN, HURRIED = 4.0, 5.0, 1.0
"""Seconds of the end in which plugins may still be loaded, in which all must be told, and for both
from when somebody is in a hurry."""
STILL, LOOK = 2.0, 0.1
"""Seconds without a word taken after which no plugin is waited for, and between looks."""


class KmSystem:
    """Loads plugins all at once while messages flow already, and tells them of every message."""

    def __init__(
        self,
        found: Sequence[Found],
        voice: Voice,
        clock: Clock,
        api_key: str,
        config: KmConfig,
        *,
        sandbox: Sandbox | None = None,
    ) -> None:
        """Prepare them; `sandbox` is used instead of the configuration's limits."""
        terms = Terms(
            authorizations=Authorizations(clock),
            voice=voice,
            api_key=api_key,
            config=config,
            sandbox=sandbox,
        )
        self._voice, self._clock = voice, clock
        self.plugins = [Supervised(one, terms, clock) for one in found]
        self._loading: asyncio.Task[None] | None = None
        self._closed, self._keyless = False, not api_key
        self._hurried, self._until = False, math.inf

    @property
    def statuses(self) -> list[Status]:
        """How each of them is."""
        return [plugin.status for plugin in self.plugins]

    def begin(self) -> None:
        """Begin to load, without waiting for it."""
        self._loading = asyncio.create_task(self.load(), name="km loading")

    async def load(self) -> None:
        """Load them all at once, and say which are there; the others are tried again."""
        await asyncio.gather(*(plugin.load() for plugin in self.plugins))
        self._tell()

    async def try_once(self) -> None:
        """Load them all at once, without a word; what does not come up has failed."""
        await asyncio.gather(*(plugin.load(again=False) for plugin in self.plugins))

    def _tell(self) -> None:
        active = [one for one in self.statuses if one.state is State.ACTIVE]
        listed = ", ".join(f"✓ {one.name} v{one.version} ({one.tier} tier)" for one in active)
        self._voice.say(f"Loaded {len(active)} plugins{': ' if listed else ''}{listed}")
        # One that was given up while others were still loading has been told of.
        for status in (one.status for one in self.plugins if not one.announced):
            for warning in status.warnings:
                self._voice.warn(f"⚠ {status.name}: {warning}")
            if status.state in (State.REFUSED, State.FAILED):
                self._voice.warn(f"✗ {status.name}: {status.reason}")
            elif status.state is State.UNAUTHORIZED and self._keyless:
                self._voice.warn(f"✗ {status.name}: {status.reason} (KM_API_KEY)")
            elif status.state is State.RESTARTING:
                self._voice.warn(f"✗ {status.name} is tried again: {status.reason}")

    def _tell_late(self) -> None:
        for status in self.statuses:
            if status.state is State.FOUND:
                self._voice.warn(f"✗ {status.name} had not come up when the session ended")

    # --- what they are told; none of it waits

    def message(
        self, data: bytes, direction: Literal["request", "response"], correlation: str
    ) -> None:
        """Tell of a message."""

        def call(plugin: KmPlugin) -> Awaitable[None]:
            return plugin.handle_message(data, direction, correlation, timeout=SECONDS)

        for one in self.plugins:
            one.put(call, len(data))

    def error(self, text: str) -> None:
        """Tell of an error that is not a message."""

        def call(plugin: KmPlugin) -> Awaitable[None]:
            return plugin.handle_error(text, timeout=SECONDS)

        for one in self.plugins:
            one.put(call)

    def stream(self, kind: Literal["start", "end", "error"], data: Mapping[str, str]) -> None:
        """Tell of the start or the end of the stream."""
        at = self._clock.time()

        def call(plugin: KmPlugin) -> Awaitable[None]:
            return plugin.handle_stream_event(kind, at, data, timeout=SECONDS)

        for one in self.plugins:
            one.put(call)

    def miss(self, count: int) -> None:
        """So many messages were too many to come here: none of the plugins is told of them."""
        for one in self.plugins:
            one.miss(count)

    def hurry(self) -> None:
        """Whoever waits for the end will not wait for long."""
        self._hurried = True
        if self._closed:
            self._until = min(self._until, self._clock.monotonic() + HURRIED)

    async def close(self) -> None:
        """Let what is being loaded come up, tell what is left, and end them all.

        That is bounded, and ends early if none of them takes anything for a while.
        """
        if self._closed:
            return
        self._closed = True
        if self._hurried:
            self.hurry()
        began = self._clock.monotonic()
        if self._loading is not None:
            await self._wait({self._loading}, LOADING)
            self._loading.cancel()
            await asyncio.wait((self._loading,))
            self._tell_late()
        up: set[asyncio.Task[None]] = set()
        others: set[asyncio.Task[None]] = set()
        for one in self.plugins:
            if (task := one.finish()) is not None:
                (up if one.status.state is State.ACTIVE else others).add(task)
        waited = self._clock.monotonic() - began
        await self._wait(up, max(DRAIN - waited, HURRIED), still=STILL)
        waited = self._clock.monotonic() - began
        await self._wait(others, max(DRAIN - waited, LOOK), still=max(STILL - waited, LOOK))
        await asyncio.gather(*(plugin.close() for plugin in self.plugins))

    async def _wait(
        self, tasks: set[asyncio.Task[None]], seconds: float, *, still: float = math.inf
    ) -> None:
        now = self._clock.monotonic
        end, taken, since = now() + seconds, self._taken, now()
        while tasks and now() < min(end, self._until, since + still):
            _, tasks = await asyncio.wait(tasks, timeout=LOOK)
            if self._taken != taken:
                taken, since = self._taken, now()

    @property
    def _taken(self) -> int:
        return sum(status.told + status.lost for status in self.statuses)
