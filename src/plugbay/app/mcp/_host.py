"""The MCP host: the process that runs MCP servers, and serves them over HTTP to the workers.

There is one for all workers, so a session is the same whichever worker its requests come through,
and it outlives them. What it is to run comes as orders on its standard input, a socket; what it has
to say goes to the supervisor as JSON lines on its output.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from plugbay.app._asgi_server import AsgiServer
from plugbay.app._clock import SystemClock
from plugbay.app.mcp._backends import Backends
from plugbay.app.mcp._orders import McpOrder, Orders
from plugbay.app.mcp._records import Records
from plugbay.mcp.serving import (
    MODERN,
    Endpoint,
    EndpointState,
    EndpointStatus,
    Federation,
    FederationSpec,
    McpSpec,
    ServerSpec,
)
from plugbay.observability import Logs, McpMetrics, ProcessCollector, Registry
from plugbay.settings import LogSettings

LINES = 100
"""Lines of servers' logs that plugins are told of between two snapshots."""
REPORT = 1.0
"""Seconds between snapshots of the metrics."""
DRAIN = 30.0
"""Seconds that requests in flight get when their server is removed."""


class McpHostOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that the host is told when it starts."""

    data_dir: str
    log: LogSettings


class _Place:
    """An endpoint, and the server before it. `made` tells what it is made of: of a federation
    also its members."""

    def __init__(self, endpoint: Endpoint, listener: socket.socket, made: object) -> None:
        self.endpoint, self.made = endpoint, made
        self.server = AsgiServer(application(endpoint), listener)

    async def remove(self, seconds: float) -> None:
        """End it when what is in flight has ended, at the latest after `seconds`."""
        if seconds:
            await self.endpoint.drain(seconds)
        # Open responses end with their sessions, so that the server need not wait.
        await self.endpoint.close()
        await self.server.close()


class McpHost:
    """One endpoint for each server and each federation, on a socket of its own."""

    def __init__(self, options: McpHostOptions) -> None:
        self._options = options
        self.logs = Logs(fd=2, format=options.log.format, level=options.log.level)
        self.clock, self.registry = SystemClock(), Registry()
        self.registry.add(ProcessCollector("mcp", started=self.clock.time()))
        self.metrics = McpMetrics(self.registry)
        self._records = Records(self.clock.time)
        self._backends = Backends(
            McpSpec(),
            Path(options.data_dir) / "secrets",
            notice=self._notice,
            clock=self.clock,
            randomness=random.SystemRandom(),
        )
        self._places: dict[str, _Place] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._taken = 0
        """The last order that was carried out."""
        self._stopping = asyncio.Event()
        self._lines = 0

    async def run(self) -> None:
        """Serve until a signal says stop; then no process is left."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        reports = asyncio.create_task(self._report())
        orders = asyncio.create_task(self._follow())
        try:
            await self._stopping.wait()
        finally:
            for task in (reports, orders, *self._leaving):
                task.cancel()
            await asyncio.gather(orders, *self._leaving, return_exceptions=True)
            await asyncio.gather(*(place.remove(0) for place in self._places.values()))
            self._report_now()
            self.logs.close()

    async def _follow(self) -> None:
        with socket.socket(fileno=0) as connection:
            async for order, sockets in Orders(connection).follow():
                await self._carry_out(order, sockets)
                self._taken = order.number
                self._say({"taken": order.number})
                self._report_now()
                self._say_if_idle()

    async def _carry_out(self, order: McpOrder, sockets: dict[str, socket.socket]) -> None:
        """Run what is new, change what is another, and let go of what is not to be any more."""
        self._backends.change(order.spec)
        specs = {one.name: one for one in order.spec.endpoints}
        # A name may be given again: its new socket comes with the order, its old place leaves.
        for name in self._places.keys() - (specs.keys() - sockets.keys()):
            self._leave(self._places.pop(name))
            self.metrics.forget(name)
        for name, spec in specs.items():
            made, maker = _made_of(spec, order.spec), self._backends.maker(spec)
            place = self._places.get(name)
            if place is None:
                endpoint = Endpoint(spec, maker, self.clock.monotonic)
                place = self._places[name] = _Place(endpoint, sockets[name], made)
                await place.server.start()
            elif place.made != made:
                place.made = made
                place.endpoint.change(spec, maker)
        self._records.keep(specs.keys())
        for name in order.restart:
            self._backends.restart(name)

    def _leave(self, place: _Place) -> None:
        task = asyncio.create_task(place.remove(DRAIN), name=f"leave {place.endpoint.spec.name}")
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        self._say_if_idle()

    def _say_if_idle(self) -> None:
        """There is nothing to run, and nobody is waited for: the supervisor may end this."""
        if self._taken and not self._places and not self._leaving:
            self._say({"idle": self._taken})

    def _notice(self, what: str, server: str, **facts: object) -> None:
        self._records.notice(what, server, **facts)
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
            self._report_now()
            self._lines = 0
            await asyncio.sleep(REPORT)

    def _report_now(self) -> None:
        status: dict[str, EndpointStatus] = {}
        for name, place in self._places.items():
            self.metrics.sessions(name, len(place.endpoint.sessions))
            status[name] = self._status(name, place.endpoint)
        self._say({"metrics": self.registry.snapshot(), "status": status})

    def _status(self, name: str, endpoint: Endpoint) -> EndpointStatus:
        served, backends = served_by(endpoint), self._backends
        if isinstance(endpoint.spec, ServerSpec):
            resting = backends.broken(name)
            return self._records.status(name, backends.kept(name), resting=resting, served=served)
        there = served.sessions > 0 or served.stateless
        state: EndpointState = "degraded" if served.down else "running" if there else "stopped"
        return replace(served, state=state)

    @staticmethod
    def _say(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a supervisor that is gone hears nothing
            os.write(1, msgspec.json.encode(message) + b"\n")


def served_by(endpoint: Endpoint) -> EndpointStatus:
    """Return how the clients of an endpoint are served."""
    versions = {one.protocol_version or one.offered for one in endpoint.sessions} - {""}
    if endpoint.shared.running:
        versions.add(MODERN)
    backends = [*(session.backend for session in endpoint.sessions), endpoint.shared.backend]
    joined = [backend for backend in backends if isinstance(backend, Federation)]
    members = [member for backend in joined for member in backend.members.values()]
    return EndpointStatus(
        sessions=len(endpoint.sessions),
        former=sum(session.former for session in endpoint.sessions),
        stateless=endpoint.shared.running,
        versions=tuple(map(_sayable, sorted(versions))),
        busy=endpoint.busy,
        requests=endpoint.asked,
        tools=tuple(map(_sayable, endpoint.tools.names)),
        down={member.name: _sayable(member.down) for member in members if member.down},
    )


def _sayable(text: str) -> str:
    """Text of others may have lone surrogates, which UTF-8 cannot say."""
    return text.encode("utf-8", "replace").decode()


def _made_of(spec: ServerSpec | FederationSpec, all_: McpSpec) -> object:
    """Return all that an endpoint depends on: another value is another endpoint."""
    if isinstance(spec, ServerSpec):
        return spec
    servers = {server.name: server for server in all_.servers}
    return spec, tuple(servers.get(member.server) for member in spec.members)


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
