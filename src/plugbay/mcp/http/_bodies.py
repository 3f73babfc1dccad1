"""What a server says over HTTP, on its way through the hooks: streams of events, and whole bodies.

Both are passed in the turn of the event loop that brings them, while no hook waits; from the first
message whose hooks wait on, what is left of that body passes in a task. So does a large message,
which goes out of a file as fast as the client reads.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INTERNAL_ERROR, Malformed, read_envelope
from plugbay.mcp.conversation._batch import is_batch, receive_body
from plugbay.mcp.conversation._sent import Sent
from plugbay.mcp.http._large_event import LargeEvent
from plugbay.mcp.http._sse import EventSplitter, bytes_data, with_data
from plugbay.storage import LARGE, Spill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from plugbay.mcp.http._call import Call
    from plugbay.mcp.http._mirroring import Mirroring

_log = logging.getLogger("plugbay.mcp")
_COMPRESS: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType(
    {b"gzip": gzip.compress, b"x-gzip": gzip.compress, b"deflate": zlib.compress}
)


class Events:
    """A stream of events. `feed` and `rest` raise `EventTooLong`."""

    __slots__ = ("_call", "_left", "_mirroring", "_splitter", "waits")

    def __init__(self, call: Call, mirroring: Mirroring, limit: int) -> None:
        self._call, self._mirroring = call, mirroring
        self._splitter = EventSplitter(limit)
        self._left: Sequence[bytes | LargeEvent] = ()
        self.waits = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes and return what is to be sent of the events that they complete."""
        events = self._splitter.feed(data)
        out: list[bytes] = []
        for number, event in enumerate(events):
            if type(event) is LargeEvent:  # it costs half of `isinstance`
                self.waits, self._left = True, events[number:]
                break
            message = bytes_data(event)
            if not message:
                out.append(event)
                continue
            sent = self._take(message)
            if sent is None:
                self.waits, self._left = True, events[number:]
                break
            if sent.forward:
                out.append(event if sent.forward is message else _told(event, message, sent))
        return b"".join(out)

    def end(self) -> bytes:
        """Pass what came behind the last event, which some clients take for one more."""
        rest = self._splitter.end()
        message = bytes_data(rest)
        if not message:
            return rest
        sent = self._take(message)
        if sent is None:
            self.waits, self._left = True, (rest,)
            return b""
        return _told(rest, message, sent) if sent.forward else b""

    async def rest(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Go on with the message whose hooks wait, and then with what follows."""
        events, self._left, self.waits = self._left, (), False
        while True:
            out: list[bytes] = []
            for event in events:
                if isinstance(event, LargeEvent):
                    if out:
                        yield b"".join(out)
                        out.clear()
                    for part in await self._pass_large(event):
                        yield part
                else:
                    out.append(await self._pass(event))
            if told := b"".join(out):
                yield told
            chunk = await anext(chunks, None)
            if chunk is None:
                break
            events = self._splitter.feed(chunk)
        if rest := await self._pass(self._splitter.end()):
            yield rest

    def _take(self, message: bytes) -> Sent | None:
        """Pass a message; None if its hooks wait, or if it must be looked at as a batch."""
        if is_batch(message):
            return None
        self._mirroring.learn(message)
        call = self._call
        sent = call.conversation.receive("to-client", message)
        if isinstance(sent, Sent):
            return sent
        call.waiting = sent
        return None

    async def _pass(self, event: bytes) -> bytes:
        message = bytes_data(event)
        if not message:
            return event
        waiting, self._call.waiting = self._call.waiting, None
        if waiting is not None:
            sent = await waiting.run()
        else:
            sent = await self._receive(message)
        return _told(event, message, sent) if sent.forward else b""

    async def _pass_large(self, event: LargeEvent) -> Iterable[bytes]:
        """Return what is to be sent, of which no more is in memory than must be."""
        message = event.data()
        if message is None:
            return (await self._pass(event.read()),)
        forward = (await self._receive(message)).forward
        if forward == message:
            return event.slices()
        return event.with_data(forward) if forward else ()

    async def _receive(self, message: bytes) -> Sent:
        self._mirroring.learn(message)
        body = await receive_body(self._call.conversation, "to-client", message)
        return Sent(body.forward)


class Whole:
    """A body of JSON: it is held until it is complete."""

    __slots__ = ("_call", "_limit", "_mirroring", "_parts", "_size", "_spill", "_status", "waits")

    def __init__(self, call: Call, mirroring: Mirroring, limit: int, status: int) -> None:
        self._call, self._mirroring = call, mirroring
        self._limit, self._status = limit, status
        self._parts: list[bytes] = []
        self._size = 0
        self._spill: Spill | None = None
        """What there is of a large body, instead of `_parts`."""
        self.waits = False

    def feed(self, data: bytes) -> bytes:
        """Keep it; of one that is too long nothing."""
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._limit:
            self._spill = None
            self._parts.clear()
        elif self._size > LARGE:
            self._set_aside()
        return b""

    def end(self) -> bytes:
        """Pass the body, and return what is to be sent."""
        if self._size > self._limit:
            return self._too_long()
        if self._spill is not None:
            self.waits = True
            return b""
        body = b"".join(self._parts)
        self._mirroring.learn(body)
        if is_batch(body):
            self.waits = True
            return b""
        call = self._call
        try:
            envelope = read_envelope(body)
        except Malformed:
            # An error of the server that is no JSON-RPC is told as it is.
            sent = call.conversation.receive("to-client", body)
            said = sent.forward if isinstance(sent, Sent) else b""
            return said or (body if self._status >= 400 else b"")
        sent = call.conversation.take("to-client", body, envelope)
        if isinstance(sent, Sent):
            return sent.forward
        call.waiting, self.waits = sent, True
        return b""

    async def rest(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Wait for the hooks; `chunks` has nothing more."""
        async for _ in chunks:
            pass
        call, self.waits = self._call, False
        waiting, call.waiting = call.waiting, None
        if waiting is not None:
            yield (await waiting.run()).forward
            return
        for part in await self._pass():
            yield part

    async def _pass(self) -> Iterable[bytes]:
        """Return what is to be sent, of which no more is in memory than must be."""
        spill, self._spill = self._spill, None
        body = b"".join(self._parts) if spill is None else spill.read()
        if spill is not None:
            self._mirroring.learn(body)
        sent = await receive_body(self._call.conversation, "to-client", body)
        forward = sent.forward
        if sent.malformed and self._status >= 400:
            forward = forward or body
        return (forward,) if spill is None or forward != body else spill.slices()

    def _set_aside(self) -> None:
        if self._spill is None:
            self._spill = Spill()
        for part in self._parts:
            self._spill.write(part)
        self._parts.clear()

    def _too_long(self) -> bytes:
        call = self._call
        session = call.conversation.session
        _log.warning("a response of %s is longer than %d bytes", session.server, self._limit)
        text = f"Internal error: a response longer than {self._limit} bytes"
        return error_answer(call.ids[0] if call.ids else None, INTERNAL_ERROR, text)


class Sealed:
    """A body that is compressed, though nobody has asked for it: no plugin can look into it.

    Its head has gone on already, so the error that comes instead is compressed too.
    """

    __slots__ = ("_call", "_encoding", "_events", "waits")

    def __init__(self, call: Call, encoding: bytes, *, events: bool) -> None:
        self._call, self._encoding, self._events = call, encoding, events
        self.waits = False

    def feed(self, data: bytes) -> bytes:
        """Keep nothing of it."""
        del data
        return b""

    def end(self) -> bytes:
        """Return the error; nothing if it cannot be said so."""
        call = self._call
        server = call.conversation.session.server
        _log.warning("a response of %s is compressed, and was not passed on", server)
        text = "Internal error: the server has compressed its response, which plugins must see"
        said = error_answer(call.ids[0] if call.ids else None, INTERNAL_ERROR, text)
        compress = _COMPRESS.get(self._encoding.lower())
        if compress is None:
            return b""
        return compress(b"data: %b\n\n" % said if self._events else said)

    async def rest(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Nothing waits."""
        async for _ in chunks:
            yield b""


def _told(event: bytes, message: bytes, sent: Sent) -> bytes:
    return event if sent.forward == message else with_data(event, sent.forward)
