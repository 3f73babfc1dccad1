"""Keeps the MCP host running, and says what it says to those who want to know."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from plugbay.app._launcher import WorkerProcess
from plugbay.app._mcp_host import McpHostOptions
from plugbay.gateway import Breaker, Target, UpstreamSpec
from plugbay.kernel import Backoff, Invalid, Problem
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.kernel import Randomness
    from plugbay.mcp.serving import McpSpec
    from plugbay.settings import LogSettings, Settings

_log = logging.getLogger("plugbay.supervisor")
STDERR = "mcp.server.stderr"
LONGEST = 104
"""Bytes of a socket's path (unix(7))."""
GRACE = 8.0
"""Seconds that the host gets to end its servers."""
STEADY = 30.0
"""Seconds after which a host that ends has not failed at once."""


class Metrics(Protocol):
    """Takes snapshots of metrics; `observability.Merged` is one."""

    def update(self, worker: str, snapshot: bytes, *, incarnation: str) -> None: ...
    def retire(self, worker: str) -> None: ...


def socket_path(data: Path, name: str) -> Path:
    """Return where an MCP server's endpoint listens."""
    return data / "run" / f"mcp-{name}.sock"


def upstreams_of(spec: McpSpec, data: Path) -> tuple[UpstreamSpec, ...]:
    """Return the upstreams by which routes reach the host."""
    return tuple(
        UpstreamSpec(
            name=name,
            targets=(Target(address=f"unix:{socket_path(data, name)}"),),
            # Each client may hold a stream open; the endpoint has limits of its own.
            breaker=Breaker(max_connections=0, max_requests=0),
        )
        for name in spec.names
    )


def with_mcp(settings: Settings, spec: McpSpec, data: Path) -> Settings:
    """Return the settings with an upstream for each MCP server and each federation that run."""
    added = upstreams_of(spec, data)
    return dataclasses.replace(settings, upstreams=(*settings.upstreams, *added))


class McpKeeper:
    """The host of one gateway. Its sockets are ours: while it starts again, requests wait."""

    def __init__(
        self,
        spec: McpSpec,
        data: Path,
        log: LogSettings,
        *,
        publish: Callable[[str, dict[str, Any]], None],
        metrics: Metrics,
        randomness: Randomness,
    ) -> None:
        self._spec, self._data, self._log = spec, data, log
        self._publish, self._metrics = publish, metrics
        self._backoff = Backoff(randomness, first=0.2, ceiling=10.0)
        self._listeners: dict[str, socket.socket] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The host's process id; 0 if there is none."""
        return 0 if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start it, if there is anything to run. Raises `Invalid` if a path is too long."""
        await self._end_former()
        if not self._spec.names:
            return
        for name in self._spec.names:
            self._listeners[name] = _listen(socket_path(self._data, name))
        self._task = asyncio.create_task(self._keep(), name="mcp host")

    async def close(self) -> None:
        """End it with all that it runs."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for name, listener in self._listeners.items():
            listener.close()
            socket_path(self._data, name).unlink(missing_ok=True)
        self._notice_file.unlink(missing_ok=True)

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
        child = self._child = self._spawn()
        write_atomically(self._notice_file, json.dumps(child.pid).encode())
        process = WorkerProcess(child.pid, child)
        hearing = asyncio.create_task(self._hear(child))
        try:
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
            if child.stdout is not None:
                child.stdout.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        fds = {name: listener.fileno() for name, listener in self._listeners.items()}
        options = McpHostOptions(spec=self._spec, fds=fds, data_dir=str(self._data), log=self._log)
        arguments = ["-m", "plugbay.app.mcp_host", msgspec.json.encode(options).decode()]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and our own options
            [sys.executable, *arguments],
            pass_fds=tuple(fds.values()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    async def _hear(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdout is None:
            return
        reader = asyncio.StreamReader(limit=1 << 24)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(child.stdout.fileno()))
        )
        try:
            while line := await reader.readline():
                self._take(json.loads(line), str(child.pid))
        finally:
            transport.close()

    def _take(self, message: dict[str, Any], incarnation: str) -> None:
        if "metrics" in message:
            snapshot = msgspec.convert(message["metrics"], bytes)
            self._metrics.update("mcp", snapshot, incarnation=incarnation)
        else:
            self._publish(message["topic"], message["data"])

    async def _end_former(self) -> None:
        """End the host of a supervisor that was killed: its sockets are not ours."""
        try:
            pid = int(json.loads(self._notice_file.read_text()))
        except (OSError, ValueError, TypeError):
            return
        with contextlib.suppress(OSError):
            command = (self._proc(pid)).read_bytes()
            if b"plugbay.app.mcp_host" in command and str(self._data).encode() in command:
                process = WorkerProcess(pid, None)
                os.kill(pid, signal.SIGTERM)
                try:
                    async with asyncio.timeout(GRACE):
                        await process.wait()
                except TimeoutError:
                    process.kill()

    @staticmethod
    def _proc(pid: int) -> Path:
        from pathlib import Path

        return Path(f"/proc/{pid}/cmdline")

    @property
    def _notice_file(self) -> Path:
        return self._data / "run" / "mcp-host.json"


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST:
        detail = f"the path of a socket is too long: {path}"
        problem = Problem("/data_dir", detail, expected=f"at most {LONGEST} bytes")
        raise Invalid(detail, problems=(problem,))
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1024)
    listener.setblocking(False)
    return listener
