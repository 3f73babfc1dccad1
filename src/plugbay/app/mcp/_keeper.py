"""Keeps the MCP host running, and says what it says to those who want to know."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from plugbay.app._launcher import WorkerProcess
from plugbay.app.mcp._here import problems_here
from plugbay.app.mcp._host import McpHostOptions
from plugbay.app.mcp._orders import SECONDS, McpOrder, send_order
from plugbay.app.mcp._sockets import listen, socket_path
from plugbay.isolation import read_pipe
from plugbay.kernel import Backoff, Invalid, Unavailable
from plugbay.mcp.serving import EndpointStatus, McpSpec
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plugbay.control import Desired
    from plugbay.kernel import Problem, Randomness
    from plugbay.settings import LogSettings

_log = logging.getLogger("plugbay.supervisor")
STDERR = "mcp.server.stderr"
GRACE = 8.0
"""Seconds that the host gets to end its servers."""
STEADY = 30.0
"""Seconds after which a host that ends has not failed at once."""


class Metrics(Protocol):
    """Takes snapshots of metrics; `observability.Merged` is one."""

    def update(self, worker: str, snapshot: bytes, *, incarnation: str) -> None: ...
    def retire(self, worker: str) -> None: ...


class McpKeeper:
    """The host of one gateway; `control.Beside`. Its sockets are ours: while it starts again,
    and before it has taken a change in, requests wait."""

    def __init__(
        self,
        data: Path,
        log: LogSettings,
        *,
        publish: Callable[[str, dict[str, Any]], None],
        metrics: Metrics,
        randomness: Randomness,
    ) -> None:
        self._data, self._log = data, log
        self._publish, self._metrics = publish, metrics
        self._backoff = Backoff(randomness, first=0.2, ceiling=10.0)
        self._spec, self._number = McpSpec(), 0
        self._listeners: dict[str, socket.socket] = {}
        self._told: set[str] = set()
        """Whose listeners the host has."""
        self._taken, self._news = 0, asyncio.Event()
        """The last order that the host has carried out."""
        self._child: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._ordering = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        """One change at a time, or the end of a host that has nothing to run."""
        self._ends: set[asyncio.Task[None]] = set()
        self.status: dict[str, EndpointStatus] = {}
        """How each server and each federation is, as the host has said last."""

    @property
    def pid(self) -> int:
        """The host's process id; 0 if there is none."""
        return 0 if self._child is None else self._child.pid

    async def start(self, spec: McpSpec) -> None:
        """Run what was committed last. Raises `Invalid` if a path is too long."""
        await self._end_former()
        self._open(spec)
        await self._run_this(spec)

    async def prepare(self, desired: Desired) -> None:
        """Listen for what is new. Raises `Invalid` if what has changed cannot run here."""
        if problems := self.problems(desired.mcp, self._spec):
            text = "; ".join(f"{one.pointer}: {one.detail}" for one in problems)
            raise Invalid(text, problems=problems)
        self._open(desired.mcp)

    def problems(self, spec: McpSpec, known: McpSpec) -> tuple[Problem, ...]:
        """Return what of `spec` cannot run here, besides what `known` has; names are in their
        pointers."""
        return tuple(problems_here(spec, known, self._data / "secrets"))

    async def settle(self, desired: Desired) -> None:
        """Let the host run this, and nothing else."""
        await self._run_this(desired.mcp)

    async def restart(self, server: str) -> None:
        """End the processes of a server and start others under their sessions. Raises
        `Unavailable` if the host is not there."""
        if self._orders is None:
            raise Unavailable("the process that runs the MCP servers is not there now")
        await self._order(restart=(server,))

    async def close(self) -> None:
        """End it with all that it runs."""
        if self._ends:
            await asyncio.wait(self._ends)
        await self._end_host()
        self._shut(self._listeners.keys())

    def _open(self, spec: McpSpec) -> None:
        for name in spec.names:
            if name not in self._listeners:
                self._listeners[name] = listen(socket_path(self._data, name))

    def _shut(self, names: Iterable[str]) -> None:
        for name in tuple(names):
            self._listeners.pop(name).close()
            self._told.discard(name)
            socket_path(self._data, name).unlink(missing_ok=True)

    async def _run_this(self, spec: McpSpec) -> None:
        async with self._turn:
            if spec != self._spec:
                self._spec, self._number = spec, self._number + 1
                if self._task is None:
                    self._task = asyncio.create_task(self._keep(), name="mcp host")
                else:
                    await self._order()
                await self._taken_in(self._number)
            self._shut(self._listeners.keys() - set(spec.names))

    async def _end_if_idle(self, number: int) -> None:
        """The host has nothing to run since an order: end it, unless there was another order."""
        async with self._turn:
            if number == self._number and not self._spec.names:
                await self._end_host()

    async def _end_host(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._notice_file.unlink(missing_ok=True)

    async def _order(self, restart: tuple[str, ...] = ()) -> None:
        """Tell the host what there is to be; one that has ended is told when it starts again."""
        async with self._ordering:
            if self._orders is None:
                return
            fresh = tuple(name for name in self._spec.names if name not in self._told)
            fds = [self._listeners[name].fileno() for name in fresh]
            order = McpOrder(number=self._number, spec=self._spec, fresh=fresh, restart=restart)
            self._told |= set(fresh)
            try:
                await asyncio.to_thread(send_order, self._orders, order, fds)
            except OSError as error:
                _log.warning("the MCP host does not take a change in, and is ended: %s", error)
                if self._child is not None:
                    self._child.kill()

    async def _taken_in(self, number: int) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                while self._taken < number:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            _log.warning("the MCP host has not taken a change in after %g s", SECONDS)

    async def _keep(self) -> None:
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            code = await self._run()
            attempt = 0 if loop.time() - began > STEADY else attempt
            _log.error("the MCP host has ended with code %d and is started again", code)
            self._publish("mcp.host.ended", {"code": code})
            await asyncio.sleep(self._backoff.delay(attempt))
            attempt += 1

    async def _run(self) -> int:
        self._orders, child = self._spawn()
        self._child, self._told = child, set()
        write_atomically(self._notice_file, json.dumps(child.pid).encode())
        process = WorkerProcess(child.pid, child)
        hearing = asyncio.create_task(self._hear(child))
        try:
            await self._order()
            code = await process.wait()
            await asyncio.wait((hearing,), timeout=1.0)
            return code
        except asyncio.CancelledError:
            child.terminate()
            try:
                async with asyncio.timeout(GRACE):
                    await process.wait()
                    await asyncio.wait((hearing,), timeout=1.0)
            except TimeoutError:
                process.kill()
                await process.wait()
            raise
        finally:
            hearing.cancel()
            self._metrics.retire("mcp")
            self._orders.close()
            self._orders, self._child, self.status = None, None, {}
            if child.stdout is not None:
                child.stdout.close()

    def _spawn(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        options = McpHostOptions(data_dir=str(self._data), log=self._log)
        arguments = ["-m", "plugbay.app.mcp_host", msgspec.json.encode(options).decode()]
        ours, theirs = socket.socketpair()
        with theirs:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own options
                [sys.executable, *arguments],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                env=dict(os.environ),  # not `environ` itself, which another thread may move
                start_new_session=True,
            )
        return ours, child

    async def _hear(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdout is None:
            return
        reader = asyncio.StreamReader(limit=1 << 24)
        transport, _ = await read_pipe(lambda: asyncio.StreamReaderProtocol(reader), child.stdout)
        try:
            while line := await reader.readline():
                self._take(json.loads(line), str(child.pid))
        finally:
            transport.close()

    def _take(self, message: dict[str, Any], incarnation: str) -> None:
        if "metrics" in message:
            snapshot = msgspec.convert(message["metrics"], bytes)
            self._metrics.update("mcp", snapshot, incarnation=incarnation)
            self.status = msgspec.convert(message["status"], dict[str, EndpointStatus])
        elif "taken" in message:
            self._taken = message["taken"]
            self._news.set()
        elif "idle" in message:
            end = asyncio.create_task(self._end_if_idle(message["idle"]), name="end mcp host")
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
        else:
            self._publish(message["topic"], message["data"])

    async def _end_former(self) -> None:
        """End the host of a supervisor that was killed: its sockets are not ours."""
        try:
            pid = int(json.loads(self._notice_file.read_text()))
        except (OSError, ValueError, TypeError):
            return
        with contextlib.suppress(OSError):
            if self._is_host(pid):
                process = WorkerProcess(pid, None)
                os.kill(pid, signal.SIGTERM)
                try:
                    async with asyncio.timeout(GRACE):
                        await process.wait()
                except TimeoutError:
                    process.kill()

    def _is_host(self, pid: int) -> bool:
        """Whether this process is a host of our data, and not another that got its number."""
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"plugbay.app.mcp_host" in command and str(self._data).encode() in command

    @property
    def _notice_file(self) -> Path:
        return self._data / "run" / "mcp-host.json"
