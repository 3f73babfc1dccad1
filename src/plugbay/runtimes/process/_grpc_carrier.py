"""The frames of a stream, as messages of one bidirectional stream of gRPC."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from plugbay.kernel import Unavailable
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._pb import hook_pb2 as pb

if TYPE_CHECKING:
    import grpc.aio

    from plugbay.runtimes.process._stream import HookStream

_STREAM = "/plugbay.hook.v1.Hook/Stream"


class GrpcCarrier:
    """Carries the frames of one stream."""

    def __init__(self, channel: grpc.aio.Channel, stream: HookStream) -> None:
        # Decoded below: gRPC would log what cannot be with a traceback, and call it the end.
        self._call = channel.stream_stream(
            _STREAM, request_serializer=rpc.serialize, response_deserializer=bytes
        )()
        self._stream = stream
        self._written = asyncio.Event()
        self.ready = self._written.set
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._write(), name="hook stream writer"),
            loop.create_task(self._read(), name="hook stream reader"),
        )

    async def close(self) -> None:
        """End the stream."""
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while True:
                await self._written.wait()
                self._written.clear()
                await self._call.write(self._stream.outgoing())
        except (rpc.aio().AioRpcError, asyncio.InvalidStateError) as error:
            self._broke(error)

    async def _read(self) -> None:
        try:
            while isinstance(message := await self._call.read(), bytes):
                self._stream.receive(pb.Batch.FromString(message))
            self._stream.fail(Unavailable("the plugin has closed the stream"))
        except DecodeError:
            self._call.cancel()
            self._stream.fail(Unavailable("the plugin has sent what is no batch of frames"))
        except rpc.aio().AioRpcError as error:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        code, details = getattr(error, "code", None), getattr(error, "details", None)
        said = f"{code().name}: {details()}" if code and details else str(error)
        self._stream.fail(Unavailable(f"the connection to the plugin broke: {said}"))
