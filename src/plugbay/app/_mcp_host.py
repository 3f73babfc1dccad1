"""The MCP host: the process that runs MCP servers, and serves them over HTTP to the workers.

There is one for all workers, so a session is the same whichever worker its requests come through,
and it outlives them. What it has to say goes to the supervisor as JSON lines on its output.
"""

# No postponed annotations here: msgspec reads them, so they must be real.

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from plugbay.app._asgi_server import AsgiServer
from plugbay.app._clock import SystemClock
from plugbay.app._mcp_backends import Backends
from plugbay.mcp.serving import Endpoint, McpSpec
from plugbay.observability import Logs, McpMetrics, ProcessCollector, Registry
from plugbay.settings import LogSettings

LINES = 100
"""Lines of servers' logs that plugins are told of between two snapshots."""
REPORT = 1.0
"""Seconds between snapshots of the metrics."""


class McpHostOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that the host is told when it starts. `fds` are listening sockets by name."""

    spec: McpSpec
    fds: dict[str, int]
    data_dir: str
    log: LogSettings


class McpHost:
    """One endpoint for each server and each federation, on a socket of its own."""

    def __init__(self, options: McpHostOptions) -> None:
        self._options = options
        self.logs = Logs(fd=2, format=options.log.format, level=options.log.level)
        self.clock, self.registry = SystemClock(), Registry()
        self.registry.add(ProcessCollector("mcp", started=self.clock.time()))
        self.metrics = McpMetrics(self.registry)
        backends = Backends(
            options.spec,
            Path(options.data_dir) / "secrets",
            notice=self._notice,
            clock=self.clock,
            randomness=random.SystemRandom(),
        )
        self.endpoints = [
            Endpoint(one, backends.maker(one), self.clock.monotonic)
            for one in options.spec.endpoints
        ]
        self._stopping = asyncio.Event()
        self._lines = 0

    async def run(self) -> None:
        """Serve until a signal says stop; then no process is left."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        servers: list[AsgiServer] = []
        for endpoint in self.endpoints:
            listener = socket.socket(fileno=self._options.fds[endpoint.spec.name])
            server = AsgiServer(application(endpoint), listener)
            await server.start()
            servers.append(server)
        reports = asyncio.create_task(self._report())
        try:
            await self._stopping.wait()
        finally:
            reports.cancel()
            # Open responses end with their sessions, so that the servers need not wait.
            await asyncio.gather(*(endpoint.close() for endpoint in self.endpoints))
            await asyncio.gather(*(server.close() for server in servers))
            self._say({"metrics": self._snapshot()})
            self.logs.close()

    def _notice(self, what: str, server: str, **facts: object) -> None:
        if what == "stderr" and not self._may_say():
            return
        self.metrics.notice(what, server)
        topic = f"mcp.server.{what.replace('-', '_')}"
        self._say({"topic": topic, "data": {"server": server, **facts}})

    def _may_say(self) -> bool:
        """Whether another line of a server's log may be passed on: some a second."""
        self._lines += 1
        return self._lines <= LINES

    async def _report(self) -> None:
        while True:
            self._say({"metrics": self._snapshot()})
            self._lines = 0
            await asyncio.sleep(REPORT)

    def _snapshot(self) -> bytes:
        for endpoint in self.endpoints:
            self.metrics.sessions(endpoint.spec.name, len(endpoint.sessions))
        return self.registry.snapshot()

    @staticmethod
    def _say(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a supervisor that is gone hears nothing
            os.write(1, msgspec.json.encode(message) + b"\n")


def application(endpoint: Endpoint) -> Any:
    """Return the ASGI application of an endpoint, with the lifespan that a server expects."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await endpoint(scope, receive, send)
            return
        while (message := await receive())["type"] != "lifespan.shutdown":
            if message["type"] == "lifespan.startup":
                endpoint.start()
                await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    return app


def main(argument: str, run: Callable[[Any], None]) -> None:
    """Run a host as `argument`, its options as JSON, says."""
    options = msgspec.json.decode(argument, type=McpHostOptions)
    # What a server or a library prints must not be taken for our own words.
    sys.stdout = sys.stderr

    async def work() -> None:
        await McpHost(options).run()

    run(work())
