"""The one connection to a plugin that speaks `plugbay.hook.v1` without gRPC.

Messages are framed as proto/plugbay/v1/hook.proto says. What is written in one turn of the event
loop goes as one batch, and a batch is read where its bytes arrive: no task lies in between.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from typing import TYPE_CHECKING, TypeVar, cast

from google.protobuf.message import DecodeError

from plugbay.kernel import Unavailable
from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.runtimes.process._plugin_process import CallBroken

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from plugbay.runtimes.process._stream import HookStream

_Answer = TypeVar("_Answer", bound="Message")
HEADER = struct.Struct(">IBI")
MOST = 64 << 20
"""Bytes that a plugin may send in one message."""
_BATCH = 0
_KINDS = {
    name: kind
    for kind, name in enumerate(
        ("Describe", "Configure", "Start", "Health", "Snapshot", "Restore", "Stop"), start=1
    )
}


class SocketLink(asyncio.Protocol):
    """Calls and batches over one connection."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._incoming = bytearray()
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count(1)
        self._early: list[pb.Batch] = []
        self._stream: HookStream | None = None
        self._wrong = ""

    # --- for the process

    async def call(
        self, method: str, asked: Message, answer: type[_Answer], timeout: float | None
    ) -> _Answer:
        """Make one call. Raises `CallBroken`."""
        number = next(self._numbers)
        waiting = self._calls[number] = asyncio.get_running_loop().create_future()
        try:
            self._write(_KINDS[method], number, asked.SerializeToString())
            async with asyncio.timeout(timeout):
                return answer.FromString(await waiting)
        except TimeoutError:
            raise CallBroken(f"no answer within {timeout:g} s") from None
        except DecodeError:
            raise CallBroken("its answer cannot be read") from None
        finally:
            del self._calls[number]

    def carry(self, stream: HookStream) -> SocketCarrier:
        """Bring batches to a stream, also those that have come already."""
        self._stream = stream
        early, self._early = self._early, []
        for batch in early:
            stream.receive(batch)
        return SocketCarrier(self, stream)

    def send(self, batch: pb.Batch) -> None:
        """Send a batch; nothing if the connection has gone."""
        if self._transport is not None:
            self._write(_BATCH, 0, batch.SerializeToString())

    def close(self) -> None:
        """Close the connection: the process ends itself."""
        if self._transport is not None:
            self._transport.close()

    def _write(self, kind: int, number: int, message: bytes) -> None:
        if self._transport is None:
            raise CallBroken(self._wrong or "the connection is closed")
        self._transport.write(HEADER.pack(len(message), kind, number) + message)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to; uvloop's transports do not inherit asyncio's."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take messages, as far as they are complete."""
        incoming = self._incoming
        incoming += data
        at = 0
        while len(incoming) - at >= HEADER.size and not self._wrong:
            size, kind, number = HEADER.unpack_from(incoming, at)
            if size > MOST:
                self._abort(f"it has sent a message of {size} bytes")
                break
            end = at + HEADER.size + size
            if len(incoming) < end:
                break
            self._take(kind, number, bytes(memoryview(incoming)[at + HEADER.size : end]))
            at = end
        del incoming[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """Break off whatever waits."""
        self._transport = None
        self._wrong = self._wrong or "the plugin has closed the connection"
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(CallBroken(self._wrong))
        if self._stream is not None:
            self._stream.fail(Unavailable(f"the connection to the plugin broke: {self._wrong}"))

    def _take(self, kind: int, number: int, message: bytes) -> None:
        if kind != _BATCH:
            waiting = self._calls.get(number)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        try:
            batch = pb.Batch.FromString(message)
        except DecodeError:
            self._abort("it has sent what is no batch of frames")
            return
        if self._stream is None:
            self._early.append(batch)
        else:
            self._stream.receive(batch)

    def _abort(self, why: str) -> None:
        self._wrong = why
        if self._transport is not None:
            self._transport.abort()


class SocketCarrier:
    """Carries the frames of one stream."""

    def __init__(self, link: SocketLink, stream: HookStream) -> None:
        self._link, self._stream = link, stream
        self._loop = asyncio.get_running_loop()
        self._scheduled = False

    def ready(self) -> None:
        """Send when this turn of the loop is over, all that has gathered until then."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    async def close(self) -> None:
        """The process closes the connection, when it ends."""

    def _flush(self) -> None:
        self._scheduled = False
        self._link.send(self._stream.outgoing())
