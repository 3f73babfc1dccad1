"""One plugin, kept running, and told everything in order from behind the stream."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from typing import TYPE_CHECKING

from plugbay.kernel import (
    Backoff,
    ExtraMissing,
    Invalid,
    PlugbayError,
    PluginError,
    RestartBudget,
)
from plugbay.km._expiry import expiry_warning, seconds_to_warning
from plugbay.km._queue import Backlog
from plugbay.km._start import Denied, Starter
from plugbay.km._status import State, Status
from plugbay.km._tiers import spelled

if TYPE_CHECKING:
    from plugbay.kernel import Clock
    from plugbay.km._authorization import Grant
    from plugbay.km._discovery import Found
    from plugbay.km._queue import Call
    from plugbay.km._start import Terms
    from plugbay.runtimes.process import KmPlugin

RESTARTS, WINDOW = 5, 60.0
STALLED = 3
"""Calls in a row that may be answered too late, before its process is ended."""
SECONDS = 5.0
"""How long a plugin may take for a message."""
AGAIN = 15.0
"""Seconds until a plugin is asked again that could not be asked to authorise."""
_RUN = (State.ACTIVE, State.RESTARTING, State.FAILED)
"""The states of those that were to be told something."""


class Supervised:
    """A plugin from its discovery to its end. `status` says at any time how it is."""

    def __init__(self, found: Found, terms: Terms, clock: Clock) -> None:
        self.status = Status(
            name=found.name,
            version=found.version,
            tier=spelled(found.tier),
            path=found.path,
            description=found.description,
            author=found.author,
        )
        self.announced = False
        """Whether its end was told already."""
        self._terms, self._clock, self._voice = terms, clock, terms.voice
        self._starter = Starter(found, self.status, terms, clock)
        self._plugin: KmPlugin | None = None
        self._backlog = Backlog()
        self._wake = asyncio.Event()
        self._closing = self._over = self._complained = False
        self._renew_at = 0.0
        self._remind_at = math.inf
        self._late = 0
        self._task: asyncio.Task[None] | None = None
        self._budget = RestartBudget(clock, restarts=RESTARTS, window=WINDOW)
        # Jitter for its restarts; nothing secret.
        self._backoff = Backoff(random.Random(), first=0.05, factor=4, ceiling=10.0)  # noqa: S311

    @property
    def pid(self) -> int | None:
        """Its process id, while it has a process."""
        return None if self._plugin is None else self._plugin.pid

    async def load(self, *, again: bool = True) -> None:
        """Start it, and tell it from now on what it is to be told; `status` says whether.

        One that does not come up is tried `again` by and by, as one that has ended.
        """
        status = self.status
        if not self._terms.config.plugin(status.name).enabled:
            self._end(State.DISABLED, "km.toml says so")
            return
        if not await self._start() and not self._over:
            if not again:
                self._end(State.FAILED, status.reason)
                return
            status.state = State.RESTARTING
        if not self._over:
            self._task = asyncio.create_task(self._serve(), name=f"km {status.name}")

    def put(self, call: Call, size: int = 0) -> None:
        """Tell it soon; a plugin that is over is told nothing."""
        if not self._over:
            self._backlog.put(call, size)
            self._wake.set()

    def miss(self, count: int) -> None:
        """So many messages never came here."""
        self.status.lost += count

    def finish(self) -> asyncio.Task[None] | None:
        """Tell it what is left, and no more; return what is done when that is."""
        self._closing = True
        self._wake.set()
        return self._task

    async def close(self) -> None:
        """End it, and say of how much it was not told."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self.status.lost += self._backlog.clear()
        if self.status.lost and self.status.state in _RUN:
            every = self.status.lost + self.status.told
            missed = f"{self.status.lost} of {every} messages and events"
            self._voice.warn(f"{self.status.name} has missed {missed}")
        plugin, self._plugin = self._plugin, None
        if plugin is not None:
            await plugin.close()
            self._voice.debug(f"{self.status.name}: ended")

    # --- its process

    async def _start(self) -> bool:
        status = self.status
        try:
            plugin, grant = await self._starter.start()
        except Denied as error:
            self._end(State.UNAUTHORIZED, str(error))
        except Invalid as error:
            self._end(State.REFUSED, self._terms.failure(error))
        except ExtraMissing as error:
            self._end(State.FAILED, self._terms.failure(error))
        except (PlugbayError, OSError) as error:
            status.reason = self._terms.failure(error)
            self._voice.debug(f"{status.name}: {status.reason}")
        else:
            self._plugin, self._late = plugin, 0
            plugin.ended.add_done_callback(lambda _: self._wake.set())
            self._keep(grant)
            self._await_expiry()
            status.state, status.reason = State.ACTIVE, ""
            status.last_activity = self._clock.time()
            return True
        return False

    def _end(self, state: State, reason: str) -> None:
        self.status.state, self.status.reason = state, reason
        self._over = True
        self.status.lost += self._backlog.clear()
        self._voice.debug(f"{self.status.name}: {state.lower()}: {reason}")

    def _keep(self, grant: Grant) -> None:
        now = self._clock.monotonic()
        self._renew_at = grant.renew if grant.renew > now else min(grant.until, now + AGAIN)

    def _await_expiry(self) -> None:
        """What is soon over was said at its start; of what is not, a session may see the end."""
        ahead = seconds_to_warning(self.status.expires, self._clock.time())
        self._remind_at = self._clock.time() + ahead if ahead else math.inf

    async def _restart(self, plugin: KmPlugin) -> None:
        status = self.status
        status.state = State.RESTARTING
        status.reason = status.reason or self._terms.words(await self._why(plugin))
        self._voice.warn(f"{status.name} is started again: {status.reason}")
        await plugin.close()
        self._plugin = None
        if await self._try("it ended too often"):
            status.restarts += 1
            self._voice.say(f"✓ {status.name} v{status.version} runs again")

    async def _why(self, plugin: KmPlugin) -> str:
        why = await plugin.why()
        limited = plugin.used_up and self._terms.sandbox is None
        return f"{why}; [limits] in km.toml say so" if limited else why

    async def _try(self, why: str) -> bool:
        """Start it until it runs, or its budget is spent, which `why` says; return whether."""
        status, attempt = self.status, 0
        while not self._over:
            if not self._budget.spend():
                self._end(State.FAILED, f"{why}; the last time: {status.reason}")
                break
            await asyncio.sleep(self._backoff.delay(attempt))
            attempt += 1
            if await self._start():
                return True
        self.announced = True
        self._voice.warn(f"✗ {status.name} stays away: {status.reason}")
        return False

    # --- what it is told

    async def _serve(self) -> None:
        status = self.status
        if self._plugin is None and await self._try("it could not be started"):
            self._voice.say(f"✓ {status.name} v{status.version} runs now")
        while not self._over and (plugin := self._plugin) is not None:
            if plugin.ended.done():
                if self._closing and not self._backlog:
                    return
                await self._restart(plugin)
            elif self._clock.time() >= self._ends_at:
                await self._expire(plugin)
            elif self._clock.time() >= self._remind_at:
                self._remind()
            elif self._clock.monotonic() >= self._renew_at:
                await self._renew(plugin)
            elif self._backlog:
                await self._tell(plugin, self._backlog.take())
            elif self._closing:
                return
            else:
                await self._rest()

    async def _rest(self) -> None:
        self._wake.clear()
        ahead = min(self._ends_at, self._remind_at) - self._clock.time()
        seconds = min(self._renew_at - self._clock.monotonic(), ahead)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()

    async def _tell(self, plugin: KmPlugin, call: Call) -> None:
        status, began = self.status, self._clock.monotonic()
        try:
            await call(plugin)
        except PluginError as error:
            status.lost += 1
            self._complain(plugin, self._terms.failure(error))
            late = self._clock.monotonic() - began >= SECONDS
            self._late = self._late + 1 if late else 0
            if self._late >= STALLED and not plugin.ended.done():
                status.reason = "it does not answer"
                await plugin.close()  # which ends it, and so begins a restart
        except asyncio.CancelledError:
            status.lost += 1
            raise
        else:
            self._late = 0
            status.told += 1
            status.last_activity = self._clock.time()

    def _complain(self, plugin: KmPlugin, text: str) -> None:
        """Tell the first time aloud; that its process has ended is told anyway."""
        if self._complained or plugin.ended.done():
            self._voice.debug(f"{self.status.name}: {text}")
        else:
            self._complained = True
            self._voice.warn(f"⚠ {self.status.name}: {text}")

    async def _renew(self, plugin: KmPlugin) -> None:
        try:
            self._keep(await self._starter.renew(plugin))
        except (Denied, PluginError) as error:
            if not plugin.ended.done():  # else it is started again, and asked then
                await self._dismiss(plugin, State.UNAUTHORIZED, self._terms.failure(error))

    # --- the end of its signature

    @property
    def _ends_at(self) -> float:
        return math.inf if self.status.expires is None else self.status.expires

    def _remind(self) -> None:
        self._remind_at = math.inf
        warning = expiry_warning(self.status.expires, self._clock.time())
        self.status.warnings.append(warning)
        self._voice.warn(f"⚠ {self.status.name}: {warning}")

    async def _expire(self, plugin: KmPlugin) -> None:
        """End it, unless there is a newer signature by now, or a newer program."""
        digest = self.status.digest
        try:
            await self._starter.look()
        except Invalid as error:
            await self._dismiss(plugin, State.REFUSED, self._terms.failure(error))
            return
        self._await_expiry()
        if self.status.digest != digest:
            self.status.reason = "another version of it was installed"
            await plugin.close()  # which begins a restart

    async def _dismiss(self, plugin: KmPlugin, state: State, reason: str) -> None:
        self._end(state, reason)
        self.announced = True
        self._voice.warn(f"✗ {self.status.name} is ended: {reason}")
        await plugin.close()
        self._plugin = None
