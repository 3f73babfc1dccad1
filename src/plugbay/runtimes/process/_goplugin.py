"""A process that speaks the protocol of hashicorp/go-plugin: from the handshake to its shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from plugbay.kernel import Invalid, Problem, Unavailable
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._handshake import (
    Handshake,
    ended_early,
    parse_handshake,
    too_late,
)
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._process import Cage, Child, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import grpc.aio

    from plugbay.runtimes.process._folder import Folder

    Log = Callable[[int, str, dict[str, Any]], None]

GRACE = 2.0
"""Seconds from the request to shut down to SIGKILL, as go-plugin's own hosts wait."""
_HEALTH = "/grpc.health.v1.Health/Check"
_STDIO = "/plugin.GRPCStdio/StreamStdio"
_SHUTDOWN = "/plugin.GRPCController/Shutdown"
_HEALTH_SECONDS = 5.0
_POST_MORTEM = 0.05
"""Seconds that a process may take to be gone after its connection broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a host and its plugins have agreed on: the magic cookie and the protocol's versions."""

    name: str
    cookie: tuple[str, str]
    versions: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start one: the private copy, compared again with its digest before each start."""

    program: str
    digest: str
    dialect: Dialect
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    cage: Cage = field(default_factory=Cage)
    seconds: float = 10.0


class GoPluginProcess:
    """One running plugin. `stop` it when nobody calls it any more; it drains nothing itself."""

    def __init__(self, child: Child, sockets: str, handshake: Handshake, log: Log) -> None:
        self.child, self.handshake, self._sockets = child, handshake, sockets
        self.channel: grpc.aio.Channel = rpc.open_channel(handshake.target)
        self.started = time.monotonic()
        self._log = log
        self._stdio: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, launch: Launch, folder: Folder, log: Log) -> Self:
        """Start it and wait until it serves.

        Raises `Invalid` if it is at fault, `Unavailable` if something else is; then nothing of it
        is left. What it prints goes to `log` from the first byte on.
        """
        await asyncio.to_thread(folder.compare, launch.program, launch.digest)
        sockets = folder.sockets()
        child: Child | None = None
        plugin: Self | None = None
        try:
            child = await Child.start(
                _command(launch, sockets),
                Output(log, level=logging.INFO, stream="stdout"),
                Output(log, level=logging.WARNING, stream="stderr"),
            )
            for note in child.notes:
                log(logging.WARNING, note, {})
            handshake = await _shake_hands(child, launch, sockets)
            plugin = cls(child, sockets, handshake, log)
            await plugin._come_up()
        except BaseException:
            if plugin is not None:
                await plugin._disconnect()
            if child is not None:
                await child.kill()
            _empty(sockets)
            raise
        return plugin

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    async def health(self, *, timeout: float = _HEALTH_SECONDS) -> None:
        """Return when its server says that it serves. Raises `Invalid`, `Unavailable`."""
        from plugbay.runtimes.process._pb.goplugin_pb2 import (
            HealthCheckRequest,
            HealthCheckResponse,
        )

        asked = HealthCheckRequest(service="plugin")
        try:
            answer = await rpc.call(
                self.channel, _HEALTH, asked, HealthCheckResponse, timeout=timeout
            )
        except rpc.aio().AioRpcError as error:
            raise _unreachable(self.child, error) from None
        if answer.status != 1:
            raise Invalid(f"its health service says {answer.status}, not 1 (SERVING)")

    async def post_mortem(self, error: grpc.aio.AioRpcError) -> str:
        """Say why a call was broken off: by the end of the process, if it has just ended."""
        await asyncio.wait((self.child.ended,), timeout=_POST_MORTEM)
        if self.child.ended.done():
            await self.child.gone()
            return self.child.why()
        return f"{error.code().name}: {error.details()}"[:300]

    async def stop(self, *, grace: float = GRACE) -> int:
        """Ask it to shut down, kill it if it does not, and leave nothing; return its exit code."""
        try:
            if not self.child.ended.done():
                await self._shut_down(grace)
        finally:
            code = await self._end()
        return code

    async def kill(self) -> int:
        """End it now, and leave nothing."""
        return await self._end()

    async def _shut_down(self, grace: float) -> None:
        from plugbay.runtimes.process._pb.goplugin_pb2 import Nothing

        # The server stops under its own call: that this is broken off is the sign of success.
        with contextlib.suppress(rpc.aio().AioRpcError):
            await rpc.call(self.channel, _SHUTDOWN, Nothing(), Nothing, timeout=grace)
        await asyncio.wait((self.child.ended,), timeout=grace)

    async def _end(self) -> int:
        ending = asyncio.ensure_future(self.child.kill())
        try:
            return await asyncio.shield(ending)
        finally:
            if not ending.done():  # cancelled: but nothing is left behind
                await asyncio.wait((ending,))
            await self._disconnect()
            _empty(self._sockets)

    async def _disconnect(self) -> None:
        if self._stdio is not None:
            await asyncio.wait((self._stdio,), timeout=0.1)
            self._stdio.cancel()
            await asyncio.wait((self._stdio,))
        await self.channel.close()

    async def _come_up(self) -> None:
        await self.health()
        self._stdio = asyncio.create_task(self._drain(), name=f"stdio of {self.pid}")

    async def _drain(self) -> None:
        """Take what it prints from now on: it stands still when some 40 KB were not taken."""
        from plugbay.runtimes.process._pb.goplugin_pb2 import Nothing, StdioData

        outputs = {
            1: Output(self._log, level=logging.INFO, stream="stdout"),
            2: Output(self._log, level=logging.INFO, stream="stderr"),
        }
        stream = self.channel.unary_stream(
            _STDIO,
            request_serializer=rpc.serialize,
            response_deserializer=StdioData.FromString,
        )(Nothing())
        try:
            async for data in stream:
                if (output := outputs.get(data.channel)) is not None:
                    output.feed(data.data)
        except rpc.aio().AioRpcError:
            pass  # it has ended, or has no such service
        finally:
            for output in outputs.values():
                output.close()


def _command(launch: Launch, sockets: str) -> Command:
    key, value = launch.dialect.cookie
    environment = {
        "PATH": os.defpath,
        "HOME": sockets,
        "TMPDIR": sockets,
        "LANG": "C.UTF-8",
        key: value,
        "PLUGIN_PROTOCOL_VERSIONS": ",".join(map(str, launch.dialect.versions)),
        "PLUGIN_UNIX_SOCKET_DIR": sockets,
        **launch.environment,
    }
    return Command(
        program=launch.program,
        arguments=launch.arguments,
        environment=environment,
        directory=sockets,
        cage=launch.cage,
    )


async def _shake_hands(child: Child, launch: Launch, sockets: str) -> Handshake:
    waited = asyncio.wait(
        (child.first_line, child.ended),
        timeout=launch.seconds,
        return_when=asyncio.FIRST_COMPLETED,
    )
    await waited
    if not child.first_line.done() and child.ended.done():
        code = await child.gone()  # the line may have been in the pipe when it ended
        if not child.first_line.done():
            raise ended_early(code, child.said())
    if not child.first_line.done():
        raise too_late(launch.seconds, child.said())
    return parse_handshake(child.first_line.result(), launch.dialect.versions, sockets)


def _unreachable(child: Child, error: grpc.aio.AioRpcError) -> Unavailable | Invalid:
    if child.ended.done():
        return Invalid(child.why())
    found = f"{error.code().name}: {error.details()}"[:300]
    problem = Problem("handshake", "it cannot be called", "an answer to grpc.health.v1", found)
    return Invalid(f"it cannot be called: {found}", problems=(problem,))


def _empty(sockets: str) -> None:
    import shutil

    shutil.rmtree(sockets, ignore_errors=True)
