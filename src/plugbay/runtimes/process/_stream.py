"""One stream of batches between the gateway and a plugin, and the calls that go over it.

Everything that is written in one turn of the event loop goes as one batch: that costs a tenth of
a call each. Frames are written into the batch in place, so none is copied.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel import Unavailable
from plugbay.runtimes.process._bodies import BodyCall
from plugbay.runtimes.process._pb import hook_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.kernel import HookFailed

    Reply = tuple[str, pb.Frame]
    Strange = Callable[[str, pb.Frame], None]
    Failed = Callable[[pb.Failure], HookFailed]

_OF_CALLS = frozenset(
    ("proceed", "respond", "failure", "read_body", "mcp_answer", "chunk", "credit")
)
WAITING = 8192
"""Calls that may be open at once; the plugin does not keep up with more."""


class Sink(Protocol):
    """Takes what the plugin says of one call."""

    def take(self, what: str, frame: pb.Frame) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Answer:
    """The sink of a call that waits for one frame at a time.

    If the answer is a response whose body follows, the sink of that is `body`.
    """

    __slots__ = ("_failed", "_future", "body")

    def __init__(self, failed: Failed) -> None:
        self._future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._failed = failed
        self.body: BodyCall | None = None

    def take(self, what: str, frame: pb.Frame) -> None:
        """Hand it to the waiter; more than it has asked for is dropped."""
        if self.body is not None:
            self.body.take(what, frame)
            return
        if what == "respond" and frame.respond.body_follows:
            self.body = BodyCall(self._failed)
        if not self._future.done():
            self._future.set_result((what, frame))

    def fail(self, error: Exception) -> None:
        """Let the waiter raise."""
        if self.body is not None:
            self.body.fail(error)
        if not self._future.done():
            self._future.set_exception(error)

    async def next(self) -> Reply:
        """Return the next frame. Raises what `fail` was given."""
        reply = await self._future
        self._future = asyncio.get_running_loop().create_future()
        return reply


class Carrier(Protocol):
    """Takes a stream's frames to the process, and brings those of the process to the stream."""

    def ready(self) -> None:
        """There are frames to be sent: fetch them by `outgoing` when this turn is over."""
        ...

    async def close(self) -> None: ...


class HookStream:
    """The calls to one process. `strange` gets the frames that belong to no call."""

    def __init__(self, carry: Callable[[HookStream], Carrier], strange: Strange) -> None:
        self._strange = strange
        self._batch = pb.Batch()
        self._ids = itertools.count(1)
        self._sinks: dict[int, Sink] = {}
        self._closed: Exception | None = None
        self._carrier = carry(self)

    @property
    def open(self) -> bool:
        """Whether frames can be sent."""
        return self._closed is None

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
        self._carrier.ready()
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
        await self._carrier.close()

    def outgoing(self) -> pb.Batch:
        """Return what is to be sent, once."""
        batch, self._batch = self._batch, pb.Batch()
        return batch

    def receive(self, batch: pb.Batch) -> None:
        """Take what the process has sent."""
        for frame in batch.frames:
            self._take(frame)

    def _take(self, frame: pb.Frame) -> None:
        what = frame.WhichOneof("what")
        if what in _OF_CALLS:
            sink = self._sinks.get(frame.id)
            if sink is not None:
                sink.take(what, frame)
        elif what is not None:
            self._strange(what, frame)
