"""An MCP server over stdio that is kept running: started again when it dies, within bounds.

A fresh process is told what the client told the one before it (its `initialize`, log level and
subscriptions), so the client's session goes on. While there is none, whatever comes is refused
at once: calls to a dead server fail fast.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from plugbay.kernel import Backoff, BreakerState, PlugbayError, Unavailable
from plugbay.mcp._framing import MAX_MESSAGE, LineSplitter
from plugbay.mcp._replay import Replay, changed_lists, is_replayed
from plugbay.mcp.pipes._streams import CHUNK
from plugbay.mcp.process._child import GRACE, Child, exit_code
from plugbay.mcp.process._handshake import shake_hands
from plugbay.mcp.process._stderr import LOGGED, lines_of

if TYPE_CHECKING:
    from plugbay.kernel import CircuitBreaker, Clock, Randomness
    from plugbay.mcp._owner import Lines, Notice, Owner
    from plugbay.mcp.process._restarts import RestartPolicy, ServerCommand

_log = logging.getLogger("plugbay.mcp")
HANDSHAKE_SECONDS = 30.0
"""Seconds that a fresh process has to answer the replayed `initialize`."""


class KeptServer:
    """One server process at a time. It is a `Writer` for what goes to the server."""

    def __init__(
        self,
        command: ServerCommand,
        policy: RestartPolicy,
        breaker: CircuitBreaker,
        owner: Owner,
        *,
        notice: Notice,
        clock: Clock,
        randomness: Randomness,
        max_message: int = MAX_MESSAGE,
        stderr: bool = True,
    ) -> None:
        self.command, self._policy, self._breaker, self._owner = command, policy, breaker, owner
        self._notice, self._clock, self._limit = notice, clock, max_message
        self._hears_stderr = stderr
        self._backoff = Backoff(
            randomness, first=policy.backoff, ceiling=max(policy.backoff, policy.backoff_ceiling)
        )
        self._replay = Replay()
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._open = self._refused = self._stopping = False
        self._hurry, self._until = asyncio.Event(), 0.0
        self._ending: asyncio.Task[int] | None = None
        self.code: int | None = None
        """How the last process ended."""
        self.restarts = 0

    # --- as its owner sees it

    @property
    def running(self) -> bool:
        """Whether what is written reaches a process."""
        return self._open

    @property
    def waiting(self) -> bool:
        """Whether it is to be started again."""
        return self._task is not None and not (self._task.done() or self._open or self._stopping)

    @property
    def retry_after(self) -> float:
        """Seconds until a process may be there again."""
        return max(0.0, self._until - self._clock.monotonic())

    @property
    def pid(self) -> int:
        """The process id; 0 while there is none."""
        return 0 if self._child is None else self._child.pid

    @property
    def broken(self) -> bool:
        """Whether the breaker keeps it from being started."""
        return self._breaker.state is BreakerState.OPEN

    async def start(self) -> None:
        """Start it. Raises `NotFound` (no such command) or `Unavailable` (it cannot be run now)."""
        if not self._breaker.allow():
            text = f"the MCP server {self.command.name} has crashed too often and rests"
            raise Unavailable(text)
        try:
            self._child = await self.command.spawn(stderr=self._hears_stderr)
        except PlugbayError as error:
            self._breaker.failure()
            self._notice("not-started", self.command.name, reason=error.detail)
            raise
        self._open = True
        self._notice("started", self.command.name, pid=self._child.pid)
        self._task = asyncio.create_task(self._run(self._child), name=f"mcp {self.command.name}")

    def persist(self) -> None:
        """It could not be started: try again behind the scenes, as its policy says."""
        if self._task is None and self._restarts(-1):
            name = f"mcp {self.command.name}"
            self._task = asyncio.create_task(self._begin_late(), name=name)

    def restart(self) -> None:
        """End the process and start another now, also one that waits for that. One that has ended
        for good stays so."""
        self._hurry.set()
        if self._open and self._child is not None and self._ending is None:
            self._ending = asyncio.create_task(self._child.shut_down(), name="end, start anew")

    def write(self, data: bytes) -> None:
        """Take lines for the server."""
        self._replay.sent(data)
        if self._open and self._child is not None:
            self._child.stdin.write(data)
        else:
            self._refused = True

    async def drain(self) -> None:
        """Wait while the server does not read; tell the owner what found no server."""
        if self._refused:
            self._refused = False
            await self._owner.refused()
        elif self._child is not None:
            with contextlib.suppress(OSError, RuntimeError):  # its end is told by `gone`
                await self._child.stdin.drain()

    async def send(self, raw: bytes) -> None:
        """Send one message on."""
        self.write(raw + b"\n")
        await self.drain()

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self._task is not None and self._task.done()

    def close(self) -> None:
        """Nothing more comes: the server may end."""
        self._stopping = True
        if self._child is not None:
            self._child.close_input()

    async def ended(self) -> None:
        """Wait until it has ended for good."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def stop(self, grace: float = GRACE) -> int:
        """End it, and leave nothing behind; return its exit code."""
        self._stopping = True
        if self._child is not None:
            self.code = await self._child.shut_down(grace)
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=1.0)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        return self.code or 0

    # --- its life

    async def _begin_late(self) -> None:
        self._pause(0)
        child, _ = await self._again(0)
        if child is not None:
            await self._run(child)

    async def _run(self, child: Child) -> None:
        attempt = 0
        while True:
            began = self._clock.monotonic()
            good = asyncio.get_running_loop().call_later(self._policy.steady, self._made_good)
            try:
                self.code = await self._listen(child)
            finally:
                good.cancel()
                self._open, self._child = False, None
                child.signal_group(signal.SIGKILL)  # what it has started and left behind
                await child.wait()  # no zombie, also if we are cancelled
            if self._stopping:
                return
            if self._clock.monotonic() - began >= self._policy.steady:
                attempt = 0
            anew, self._ending = self._ending is not None, None
            if not anew:
                self._failed(self.code)
                if not self._restarts(self.code):
                    await self._owner.gone(self.code)
                    return
                self._hurry.clear()
                self._pause(attempt)  # first: what is answered now says when to come back
            await self._owner.gone(self.code)
            fresh, attempt = await self._again(attempt)
            if fresh is None:
                return
            child = fresh

    async def _listen(self, child: Child) -> int:
        """Hear the server to its end and return its exit code."""
        errors = asyncio.create_task(self._pass_stderr(child))
        lines = LineSplitter(self._limit)
        try:
            while data := await child.stdout.read(CHUNK):
                await self._hear(lines.feed(data))
            if lines.rest:
                _log.warning("%d bytes without a line feed were dropped", lines.rest)
            # A server that has closed its output is about to end, or as good as gone.
            return await child.shut_down()
        finally:
            errors.cancel()

    async def _hear(self, found: Lines) -> None:
        if self.restarts:
            found = [one for one in found if not (isinstance(one, bytes) and is_replayed(one))]
        if found:
            await self._owner.hear(found)

    def _failed(self, code: int | None, **why: str) -> None:
        """It has ended by itself, or, without a code, could not be started."""
        was_open = self.broken
        self._breaker.failure()
        what, facts = ("not-started", dict[str, object](why))
        if code is not None:
            what, facts = "exited", {"code": exit_code(code)}
        self._notice(what, self.command.name, **facts)
        if self.broken and not was_open:
            self._notice("breaker-opened", self.command.name, seconds=self._breaker.rest)

    def _made_good(self) -> None:
        closed = self._breaker.closed
        self._breaker.success()
        if not closed and self._breaker.closed:
            self._notice("breaker-closed", self.command.name)

    def _restarts(self, code: int) -> bool:
        chosen = self._policy.restart
        return chosen == "always" or (chosen == "on-failure" and code != 0)

    async def _again(self, attempt: int) -> tuple[Child | None, int]:
        """Start a fresh process as soon as it may be, and bring it to where the last one was."""
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.retry_after):
                    await self._hurry.wait()
            self._hurry.clear()
            attempt += 1
            if self._breaker.allow():
                try:
                    return await self._bring_up(), attempt
                except (PlugbayError, OSError, EOFError, TimeoutError) as error:
                    _log.warning("%s could not be started again: %s", self.command.name, error)
                    self._failed(None, reason=str(error) or "it did not answer in time")
            self._pause(attempt)
        return None, attempt

    def _pause(self, attempt: int) -> None:
        rest = 0.0 if self._breaker.closed else self._breaker.rest
        self._until = self._clock.monotonic() + max(self._backoff.delay(attempt), rest)

    async def _bring_up(self) -> Child:
        child = await self.command.spawn(stderr=self._hears_stderr)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                answer = await shake_hands(child, self._replay, self._limit)
            if self._stopping:
                raise Unavailable("nobody wants it any more")
        except BaseException:
            child.signal_group(signal.SIGKILL)
            await child.wait()
            raise
        self.restarts += 1
        self._child, self._open = child, True
        self._notice("restarted", self.command.name, pid=child.pid, restarts=self.restarts)
        await self._owner.back()
        if answer and (news := changed_lists(answer)):
            await self._owner.hear([*news])
        return child

    async def _pass_stderr(self, child: Child) -> None:
        async for line in lines_of(child):
            self._notice("stderr", self.command.name, line=line[:LOGGED])
            await self._owner.stderr(line)
