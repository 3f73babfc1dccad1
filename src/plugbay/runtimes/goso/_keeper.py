"""Keeps one runner running: a new one is started when it ends, after a delay that grows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Backoff, PlugbayError, Quarantine, RestartBudget, RestartPolicy
from plugbay.runtimes.goso._call import RunnerGone
from plugbay.runtimes.goso._process import Runner
from plugbay.runtimes.process._folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from plugbay.isolation import Sandbox
    from plugbay.kernel import Clock
    from plugbay.runtimes.goso._connection import Connection
    from plugbay.runtimes.goso._process import Plugin

    Log = Callable[[int, str, dict[str, Any]], None]

FIRST_DELAY = 0.05
STEADY = 60.0
"""Seconds after which a runner counts as running well: the next delay is short again."""


class Keeper:
    """A runner that comes back. `start` it, and `stop` it in any case."""

    def __init__(
        self,
        program: Path,
        plugin: Plugin,
        log: Log,
        clock: Clock,
        *,
        sandbox: Sandbox,
        seconds: float,
    ) -> None:
        self._program, self._plugin, self._log = program, plugin, log
        self._clock, self._sandbox, self._seconds = clock, sandbox, seconds
        backoff = Backoff(random.SystemRandom(), first=FIRST_DELAY, ceiling=30)
        self._policy = RestartPolicy(backoff, RestartBudget(clock))
        self._folder: Folder | None = None
        self._runner: Runner | None = None
        self._watching: asyncio.Task[None] | None = None
        self._down = "it was not started"
        self.restarts = 0
        """How often it was started again."""

    @property
    def pid(self) -> int:
        """The runner's process id; 0 while there is none."""
        return 0 if self._runner is None else self._runner.pid

    @property
    def folder(self) -> str:
        """Where the runner's socket is; empty while it is stopped."""
        return "" if self._folder is None else self._folder.path

    @property
    def given_up(self) -> bool:
        """Whether it has ended too often to be started again."""
        return self._policy.quarantined is not None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the runner has said of the plugin."""
        return {} if self._runner is None else self._runner.facts

    async def start(self) -> None:
        """Start the runner. Raises `Invalid` if the plugin is at fault, `Unavailable`."""
        self._folder = Folder.make(user=self._sandbox.user)
        self._runner = await self._start(self._folder)
        self._watching = asyncio.create_task(self._watch(self._folder), name="goso")

    def connection(self) -> Connection:
        """Return the connection to the runner that runs now. Raises `RunnerGone`."""
        runner = self._runner
        if runner is None:
            raise RunnerGone(self._down)
        return runner.connection

    async def health(self) -> None:
        """Return when the runner answers. Raises `RunnerGone`."""
        await self.connection().ping()

    async def stop(self) -> None:
        """End the runner, and leave nothing; a second time does nothing."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait((watching,))
        runner, self._runner = self._runner, None
        self._down = "the plugin was stopped"
        try:
            if runner is not None:
                await runner.stop()
        finally:
            folder, self._folder = self._folder, None
            if folder is not None:
                folder.remove()

    async def _start(self, folder: Folder) -> Runner:
        return await Runner.start(
            self._program,
            self._plugin,
            folder,
            self._log,
            sandbox=self._sandbox,
            seconds=self._seconds,
        )

    async def _watch(self, folder: Folder) -> None:
        """See the end of each runner at once, and start the next one."""
        while (runner := self._runner) is not None:
            began = self._clock.monotonic()
            await asyncio.wait((runner.connection.lost,))  # it is not this task's to cancel
            self._runner, self._down = None, "the runner has ended"
            await runner.stop()
            if self._clock.monotonic() - began > STEADY:
                self._policy.steady()
            await self._come_back(folder, runner.child.why())

    async def _come_back(self, folder: Folder, reason: str) -> None:
        while self._runner is None:
            decision = self._policy.failed(reason)
            self._down = reason
            if isinstance(decision, Quarantine):
                self._down = decision.reason
                self._log(logging.ERROR, decision.reason, {})
                return
            self._log(logging.WARNING, f"{reason}; it is started again", {})
            await asyncio.sleep(decision.after)
            with contextlib.suppress(OSError):
                try:
                    self._runner = await self._start(folder)
                    self.restarts += 1
                except PlugbayError as error:
                    reason = error.detail
