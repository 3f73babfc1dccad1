"""One stream of batches between the gateway and a plugin, and the calls that go over it.

Everything that is written in one turn of the event loop goes as one batch: that costs a tenth of
a call each. Frames are written into the batch in place, so none is copied.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel import Unavailable
from plugbay.runtimes.process import _channel as rpc
from plugbay.runtimes.process._pb import hook_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc.aio

    Reply = tuple[str, pb.Frame]
    Strange = Callable[[str, pb.Frame], None]

_STREAM = "/plugbay.hook.v1.Hook/Stream"
_OF_CALLS = frozenset(("proceed", "respond", "failure", "read_body", "chunk", "credit"))
WAITING = 8192
"""Calls that may be open at once; the plugin does not keep up with more."""


class Sink(Protocol):
    """Takes what the plugin says of one call."""

    def take(self, what: str, frame: pb.Frame) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Answer:
    """The sink of a call that waits for one frame at a time."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def take(self, what: str, frame: pb.Frame) -> None:
        """Hand it to the waiter; more than it has asked for is dropped."""
        if not self._future.done():
            self._future.set_result((what, frame))

    def fail(self, error: Exception) -> None:
        """Let the waiter raise."""
        if not self._future.done():
            self._future.set_exception(error)

    async def next(self) -> Reply:
        """Return the next frame. Raises what `fail` was given."""
        reply = await self._future
        self._future = asyncio.get_running_loop().create_future()
        return reply


class HookStream:
    """The calls to one process. `strange` gets the frames that belong to no call."""

    def __init__(self, channel: grpc.aio.Channel, strange: Strange) -> None:
        self._call = channel.stream_stream(
            _STREAM, request_serializer=rpc.serialize, response_deserializer=pb.Batch.FromString
        )()
        self._strange = strange
        self._batch = pb.Batch()
        self._written = asyncio.Event()
        self._ids = itertools.count(1)
        self._sinks: dict[int, Sink] = {}
        self._closed: Exception | None = None
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._write(), name="hook stream writer"),
            loop.create_task(self._read(), name="hook stream reader"),
        )

    @property
    def open_calls(self) -> int:
        """Calls that go on."""
        return len(self._sinks)

    def frame(self, id: int = 0) -> pb.Frame:
        """Return a new frame of the batch that is sent next; write into it at once.

        Raises `Unavailable` if the stream is closed.
        """
        if self._closed is not None:
            raise Unavailable(str(self._closed)) from None
        self._written.set()
        frame = self._batch.frames.add()
        frame.id = id
        return frame

    def begin(self, sink: Sink) -> int:
        """Open a call and return its id. Raises `Unavailable`."""
        if self._closed is not None:
            raise Unavailable(str(self._closed)) from None
        if len(self._sinks) >= WAITING:
            raise Unavailable(f"the plugin does not keep up: {WAITING} calls are open")
        id = next(self._ids)
        self._sinks[id] = sink
        return id

    def end(self, id: int) -> None:
        """Close a call: what the plugin still says of it is dropped."""
        self._sinks.pop(id, None)

    def cancel(self, id: int) -> None:
        """Close a call and tell the plugin that nobody waits for it."""
        if self._sinks.pop(id, None) is not None and self._closed is None:
            self.frame(id).cancel.SetInParent()

    def fail(self, error: Exception) -> None:
        """Break every call off; there are no more."""
        if self._closed is None:
            self._closed = error
            sinks, self._sinks = self._sinks, {}
            for sink in sinks.values():
                sink.fail(Unavailable(str(error)))

    async def close(self) -> None:
        """End it. Calls that go on are broken off."""
        self.fail(Unavailable("the plugin is stopped"))
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while True:
                await self._written.wait()
                self._written.clear()
                batch, self._batch = self._batch, pb.Batch()
                await self._call.write(batch)
        except (rpc.aio().AioRpcError, asyncio.InvalidStateError) as error:
            self.fail(Unavailable(f"the connection to the plugin broke: {_said(error)}"))

    async def _read(self) -> None:
        try:
            while isinstance(batch := await self._call.read(), pb.Batch):
                for frame in batch.frames:
                    self._take(frame)
            self.fail(Unavailable("the plugin has closed the stream"))
        except rpc.aio().AioRpcError as error:
            self.fail(Unavailable(f"the connection to the plugin broke: {_said(error)}"))

    def _take(self, frame: pb.Frame) -> None:
        what = frame.WhichOneof("what")
        if what in _OF_CALLS:
            sink = self._sinks.get(frame.id)
            if sink is not None:
                sink.take(what, frame)
        elif what is not None:
            self._strange(what, frame)


def _said(error: BaseException) -> str:
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    return f"{code().name}: {details()}" if code and details else str(error)
