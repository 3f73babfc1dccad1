"""A process that speaks the protocol of hashicorp/go-plugin: from the handshake to its shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Self, TypeVar

from plugbay.kernel import Invalid, Problem, Unavailable
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._mutual_tls import NAME, VARIABLE, Identity
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._plugin_process import POST_MORTEM, CallBroken, PluginProcess
from plugbay.runtimes.process._relay import Relay

if TYPE_CHECKING:
    import grpc.aio
    from google.protobuf.message import Message

    from plugbay.runtimes.process._folder import Folder
    from plugbay.runtimes.process._grpc_carrier import GrpcCarrier
    from plugbay.runtimes.process._handshake import Handshake
    from plugbay.runtimes.process._plugin_process import Launch, Log
    from plugbay.runtimes.process._process import Child
    from plugbay.runtimes.process._stream import HookStream

_Answer = TypeVar("_Answer", bound="Message")
_HEALTH = "/grpc.health.v1.Health/Check"
_STDIO = "/plugin.GRPCStdio/StreamStdio"
_SHUTDOWN = "/plugin.GRPCController/Shutdown"
_HOOK = "/plugbay.hook.v1.Hook/"
_HEALTH_SECONDS = 5.0
_PLAIN = "its connection is not encrypted: it does not answer AutoMTLS with a certificate"


class GoPluginProcess(PluginProcess):
    """One running program, called by gRPC."""

    protocol = "grpc"

    def __init__(self, child: Child, sockets: str, handshake: Handshake, log: Log) -> None:
        super().__init__(child, sockets, handshake, log)
        self.channel: grpc.aio.Channel = rpc.open_channel(handshake.target)
        self._stdio: asyncio.Task[None] | None = None
        self.relay: Relay | None = None
        """What encrypts the connection, if it is."""

    @classmethod
    async def start(cls, launch: Launch, folder: Folder, log: Log) -> Self:
        """Start it, with an identity of its own if its connection is to be encrypted."""
        if launch.auto_mtls:
            identity = await asyncio.to_thread(Identity.make)
            told = {**launch.environment, VARIABLE: identity.certificate.decode()}
            launch = replace(launch, environment=told, identity=identity)
        return await super().start(launch, folder, log)

    async def encrypt(self, identity: Identity) -> None:
        """Put a relay before it that speaks TLS, if it does. Raises `Invalid`."""
        if not self.handshake.certificate:
            self._log(logging.WARNING, _PLAIN, {})
            return
        try:
            context = identity.context(self.handshake.certificate)
            path = f"{self._sockets}-tls"
            self.relay = await Relay.open(path, self.handshake.address, context, NAME)
        except OSError as error:
            raise Invalid(f"its connection cannot be encrypted: {error}") from None
        await self.channel.close()
        self.channel = rpc.open_channel(f"unix:{self.relay.path}")

    async def call(
        self, method: str, asked: Message, answer: type[_Answer], timeout: float | None
    ) -> _Answer:
        """Call a method of `plugbay.hook.v1`. Raises `CallBroken`."""
        try:
            return await rpc.call(self.channel, _HOOK + method, asked, answer, timeout=timeout)
        except rpc.aio().AioRpcError as broken:
            said = await self.post_mortem(broken)
        raise CallBroken(said)

    def carry(self, stream: HookStream) -> GrpcCarrier:
        """Carry the frames of a stream, as the method `Stream`."""
        # Imported here, as all that needs the extra `grpc`.
        from plugbay.runtimes.process._grpc_carrier import GrpcCarrier

        return GrpcCarrier(self.channel, stream)

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
        said = f"{error.code().name}: {error.details()}"
        return await self.why(said, patience=POST_MORTEM if rpc.lost(error) else 0.0)

    async def shut_down(self, grace: float) -> None:
        """Ask its controller to shut down."""
        from plugbay.runtimes.process._pb.goplugin_pb2 import Nothing

        # The server stops under its own call: that this is broken off is the sign of success.
        with contextlib.suppress(rpc.aio().AioRpcError):
            await rpc.call(self.channel, _SHUTDOWN, Nothing(), Nothing, timeout=grace)

    async def disconnect(self) -> None:
        """Close the channel."""
        if self._stdio is not None:
            await asyncio.wait((self._stdio,), timeout=0.1)
            self._stdio.cancel()
            await asyncio.wait((self._stdio,))
        await self.channel.close()
        if self.relay is not None:
            await self.relay.close()

    async def come_up(self) -> None:
        """See that it serves, and take what it prints from now on."""
        await self.health()
        self._stdio = asyncio.create_task(self._drain(), name=f"stdio of {self.pid}")

    async def _drain(self) -> None:
        """Take what it prints from now on: it stands still when some 40 KB were not taken."""
        from google.protobuf.message import DecodeError

        from plugbay.runtimes.process._pb.goplugin_pb2 import Nothing, StdioData

        outputs = {
            1: Output(self._log, level=logging.INFO, stream="stdout"),
            2: Output(self._log, level=logging.INFO, stream="stderr"),
        }
        stream = self.channel.unary_stream(
            _STDIO, request_serializer=rpc.serialize, response_deserializer=bytes
        )(Nothing())
        try:
            async for message in stream:
                data = StdioData.FromString(message)
                if (output := outputs.get(data.channel)) is not None:
                    output.feed(data.data)
        except rpc.aio().AioRpcError:
            pass  # it has ended, or has no such service
        except DecodeError:
            self._log(logging.WARNING, "what it prints cannot be read any more", {})
        finally:
            for output in outputs.values():
                output.close()


def _unreachable(child: Child, error: grpc.aio.AioRpcError) -> Unavailable | Invalid:
    if child.ended.done():
        return Invalid(child.why())
    found = f"{error.code().name}: {error.details()}"[:300]
    problem = Problem("handshake", "it cannot be called", "an answer to grpc.health.v1", found)
    return Invalid(f"it cannot be called: {found}", problems=(problem,))
