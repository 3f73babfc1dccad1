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
from plugbay.mcp._child import GRACE, Child, exit_code
from plugbay.mcp._framing import MAX_MESSAGE, LineSplitter
from plugbay.mcp._pipes import CHUNK
from plugbay.mcp._replay import Replay, changed_lists, is_replayed

if TYPE_CHECKING:
    from plugbay.kernel import CircuitBreaker, Clock, Randomness
    from plugbay.mcp._owner import Lines, Notice, Owner
    from plugbay.mcp._restarts import RestartPolicy, ServerCommand

_log = logging.getLogger("plugbay.mcp")
LOGGED = 2000
"""Characters of a line of its standard error that are told."""
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
        self._until = 0.0
        self.code: int | None = None
        """How the last process ended."""
        self.restarts = 0

    # --- as its owner sees it

    @property
    def running(self) -> bool:
        """Whether what is written reaches a process."""
        return self._open

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
        """Start it. Raises `NotFound` if there is no such command, `Unavailable` if it cannot be
        run now."""
        if not self._breaker.allow():
            text = f"the MCP server {self.command.name} has crashed too often and rests"
            raise Unavailable(text)
        try:
            self._child = await self._spawn()
        except PlugbayError:
            self._breaker.failure()
            raise
        self._open = True
        self._notice("started", self.command.name, pid=self._child.pid)
        self._task = asyncio.create_task(self._run(self._child), name=f"mcp {self.command.name}")

    def persist(self) -> None:
        """It could not be started: try again behind the scenes, as its policy says."""
        if self._task is None and self._restarts(-1):
            name = f"mcp {self.command.name}"
            self._task = asyncio.create_task(self._begin_late(), name=name)

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
        child, _ = await self._again(0)
        if child is not None:
            await self._run(child)

    async def _run(self, child: Child) -> None:
        attempt = 0
        while True:
            began = self._clock.monotonic()
            steady = asyncio.get_running_loop().call_later(self._policy.steady, self._made_good)
            try:
                self.code = await self._listen(child)
            finally:
                steady.cancel()
                self._open, self._child = False, None
                child.signal_group(signal.SIGKILL)  # what it has started and left behind
                await child.wait()  # no zombie, also if we are cancelled
            if self._stopping:
                return
            lived = self._clock.monotonic() - began
            attempt = 0 if lived >= self._policy.steady else attempt
            self._failed(self.code)
            await self._owner.gone(self.code)
            if not self._restarts(self.code):
                return
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

    def _failed(self, code: int) -> None:
        was_open = self.broken
        self._breaker.failure()
        self._notice("exited", self.command.name, code=exit_code(code))
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
            delay = self._backoff.delay(attempt)
            attempt += 1
            if not self._breaker.closed:
                delay = max(delay, self._breaker.rest)
            self._until = self._clock.monotonic() + delay
            await asyncio.sleep(delay)
            if not self._breaker.allow():
                continue
            try:
                return await self._bring_up(), attempt
            except (PlugbayError, OSError, EOFError, TimeoutError) as error:
                _log.warning("%s could not be started again: %s", self.command.name, error)
                self._failed(-1)
        return None, attempt

    async def _bring_up(self) -> Child:
        child = await self._spawn()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                answer = await self._shake_hands(child)
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

    async def _shake_hands(self, child: Child) -> bytes:
        """Replay what the client has said. Raises `EOFError` if the process ends meanwhile."""
        answer = b""
        if self._replay.first:
            child.stdin.write(self._replay.first + b"\n")
            lines = LineSplitter(self._limit)
            while not answer:
                data = await child.stdout.read(CHUNK)
                if not data:
                    raise EOFError("it has ended during the handshake")
                found = [one for one in lines.feed(data) if isinstance(one, bytes)]
                answer = next((one for one in found if is_replayed(one)), b"")
        for raw in self._replay.others if answer else ():
            child.stdin.write(raw + b"\n")
        await child.stdin.drain()
        return answer

    async def _spawn(self) -> Child:
        command = self.command
        return await Child.start(
            command.command,
            stderr=self._hears_stderr,
            env=None if command.env is None else command.env(),
            directory=command.directory,
            bound=command.bound,
        )

    async def _pass_stderr(self, child: Child) -> None:
        lines = LineSplitter(CHUNK)
        while child.stderr is not None and (data := await child.stderr.read(CHUNK)):
            for line in lines.feed(data):
                if isinstance(line, bytes):
                    text = line.decode("utf-8", "replace").rstrip("\r")
                    self._notice("stderr", self.command.name, line=text[:LOGGED])
                    await self._owner.stderr(text)
