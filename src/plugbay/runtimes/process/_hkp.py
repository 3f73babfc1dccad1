"""HKP gateway plugins, the dialect `hkp`: a program that listens on a port which it is told.

There is no handshake: it is ready when it can be called. A second Initialize is refused there, so
each process gets one. It answers a request itself if its status is not 200 or it does not want
the chain to go on; else what it returns is ignored. Header fields that occur several times are
joined, because the contract has one value for each name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from typing import TYPE_CHECKING, Self, TypeVar

from plugbay.kernel import Hook, HookFailed, LoadFailed, Unhealthy
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._keeper import Keeper
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._pb import hkp_pb2 as pb
from plugbay.runtimes.process._pb.goplugin_pb2 import HealthCheckRequest, HealthCheckResponse
from plugbay.runtimes.process._process import Child, Command
from plugbay.sdk import Headers, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from google.protobuf.message import Message

    from plugbay.kernel import LoadRequest, PluginError, Randomness
    from plugbay.runtimes.process._folder import Folder
    from plugbay.runtimes.process._plugin_process import Launch, Log
    from plugbay.sdk import Request

    _Answer = TypeVar("_Answer", bound=Message)

_SERVICE = "/hkpplugin.HKPPlugin/"
_RETRY = 0.02
_STOP_SECONDS = 2.0
_UNHEALTHY = 3
BODY = 1 << 20
"""Bytes of a request's body that a plugin is told; a longer body is refused (413)."""


class HkpSession:
    """One process that is initialized."""

    def __init__(self, child: Child, port: int) -> None:
        self.child, self._port = child, port
        self.channel = rpc.open_channel(f"ipv4:127.0.0.1:{port}")

    @classmethod
    async def open(cls, launch: Launch, folder: Folder, request: LoadRequest, log: Log) -> Self:
        """Start the program, wait until it answers, and initialize it. Raises `LoadFailed`."""
        await asyncio.to_thread(folder.compare, launch.program, launch.digest)
        port, manifest, own = _free_port(), request.manifest, folder.sockets()
        environment = {
            "PATH": os.defpath,
            "HOME": own,
            "TMPDIR": own,
            "PLUGIN_GRPC_ADDRESS": f"localhost:{port}",
            "PLUGIN_NAME": manifest.id,
            "PLUGIN_VERSION": manifest.version,
            **launch.environment,
        }
        command = Command(
            program=launch.program,
            environment=environment,
            directory=own,
            sandbox=launch.sandbox,
        )
        child = await Child.start(
            command,
            Output(log, level=logging.INFO, stream="stdout"),
            Output(log, level=logging.WARNING, stream="stderr"),
        )
        session = cls(child, port)
        try:
            async with asyncio.timeout(launch.seconds):
                await session._come_up(request)
        except (TimeoutError, rpc.aio().AioRpcError):
            await session.end()
            detail = f"it did not answer on PLUGIN_GRPC_ADDRESS within {launch.seconds:g} s"
            raise LoadFailed(manifest.id, detail, generation=request.generation) from None
        except BaseException:
            await session.end()
            raise
        return session

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process has ended."""
        return self.child.ended

    async def stop(self) -> None:
        """Ask it to shut down, then end it."""
        try:
            if not self.ended.done():
                asked = pb.ShutdownRequest(timeout_seconds=int(_STOP_SECONDS), reason="stopped")
                path = f"{_SERVICE}Shutdown"
                await rpc.call(
                    self.channel, path, asked, pb.ShutdownResponse, timeout=_STOP_SECONDS
                )
                await asyncio.wait((self.ended,), timeout=_STOP_SECONDS)
        except rpc.aio().AioRpcError:
            pass  # it has ended under its own call
        finally:
            await self.end()

    async def end(self) -> None:
        """End it now."""
        await self.child.kill()
        await self.channel.close()

    async def _come_up(self, request: LoadRequest) -> None:
        manifest = request.manifest
        while not await _listens(self._port):
            if self.ended.done():
                raise LoadFailed(manifest.id, self.child.why(), generation=request.generation)
            await asyncio.sleep(_RETRY)
        asked = HealthCheckRequest(service="")
        path = "/grpc.health.v1.Health/Check"
        await rpc.call(self.channel, path, asked, HealthCheckResponse, timeout=None)
        init = pb.InitRequest(config_json=json.dumps(dict(request.config)), protocol_version="1.0")
        answer = await rpc.call(
            self.channel, f"{_SERVICE}Initialize", init, pb.InitResponse, timeout=None
        )
        if not answer.success:
            raise LoadFailed(
                manifest.id, answer.error or "Initialize failed", generation=request.generation
            )


class HkpInstance:
    """One generation: `kernel.Instance`, with the one hook `on_request`."""

    config_schema, notes = "", ()

    def __init__(
        self,
        request: LoadRequest,
        first: HkpSession,
        again: Callable[[], Awaitable[HkpSession]],
        folder: Folder,
        randomness: Randomness,
    ) -> None:
        self._plugin, self._generation = request.manifest.id, request.generation
        self._folder = folder
        self._seconds = request.manifest.limits.request_ms / 1000 or None
        host = request.host
        self.keeper = Keeper(
            first,
            again,
            host=host,
            clock=host.clock,
            randomness=randomness,
            why=lambda session: session.child.why(),
        )
        self._hooks: Mapping[str, Hook] = {"on_request": Hook(self.on_request, coroutine=True)}
        self._stopped = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The process that runs now, if one does."""
        session = self.keeper.current
        return () if session is None else (session.child.pid,)

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The hook, until it is stopped."""
        return self._hooks

    async def start(self) -> None:
        """Keep it running: it was initialized when it was loaded."""
        self.keeper.watch()

    async def stop(self) -> None:
        """Let it shut down and end its process; a second call does nothing."""
        if self._stopped:
            return
        self._stopped, self._hooks = True, {}
        try:
            session = await self.keeper.release()
            if session is not None:
                await session.stop()
        finally:
            self._folder.remove()

    async def health(self) -> None:
        """Return when it says that it is not unhealthy. Raises `Unhealthy`."""
        said = await self._call("HealthCheck", pb.Empty(), pb.HealthStatus, Unhealthy)
        if said.status == _UNHEALTHY:
            raise Unhealthy(self._plugin, said.message, generation=self._generation)

    async def snapshot(self) -> bytes | None:
        """Return None: the contract has no state to hand over."""
        return None

    async def restore(self, state: bytes) -> None:
        """Do nothing: it keeps no state."""

    async def on_request(self, request: Request) -> Response | None:
        """Ask the plugin. Raises `HookFailed`, and `BodyTooLarge` for a body beyond `BODY`."""
        asked = pb.HTTPRequest(
            id=request.id,
            method=request.method,
            path=request.path,
            headers=_joined(request.headers),
            body=await request.read(BODY),
            remote_addr=request.client,
            query_params=dict(reversed(request.params)),
        )
        answer = await self._call("HandleHTTPRequest", asked, pb.HTTPResponse, HookFailed)
        if answer.status_code == 200 and answer.continue_chain:
            return None
        try:
            return Response(answer.status_code, Headers.of(dict(answer.headers)), answer.body)
        except ValueError as error:
            raise HookFailed(self._plugin, str(error), generation=self._generation) from None

    async def _call(
        self, method: str, asked: Message, answer: type[_Answer], error: type[PluginError]
    ) -> _Answer:
        session = self.keeper.current
        if session is None or self._stopped:
            detail = self.keeper.reason or "it does not run"
            raise error(self._plugin, detail, generation=self._generation)
        try:
            path = _SERVICE + method
            return await rpc.call(session.channel, path, asked, answer, timeout=self._seconds)
        except rpc.aio().AioRpcError as broken:
            detail = f"{method}: {broken.code().name}: {broken.details()}"[:300]
        raise error(self._plugin, detail, generation=self._generation)


def _joined(headers: Headers) -> dict[str, str]:
    """Return each name once, as RFC 9110 (5.3) joins its values."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _listens(port: int) -> bool:
    """Return whether somebody listens: a channel that is too early would wait for its back-off."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
