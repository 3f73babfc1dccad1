"""The connection to one runner: frames out in bundles, frames in to the calls that wait."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

from plugbay.runtimes.goso import _frames as wire
from plugbay.runtimes.goso._call import Call, RunnerGone
from plugbay.runtimes.goso._frames import FrameReader, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.runtimes.goso._frames import Frame

_LARGEST_ID = 0xFFFFFFFF


class Connection(asyncio.Protocol):
    """A connection and the calls on it. What is written in one turn of the loop goes at once."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._reader = FrameReader()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, Call] = {}
        self._last = 0
        self._pong: asyncio.Future[None] | None = None
        self.opened: asyncio.Future[dict[str, Any]] = loop.create_future()
        """What the runner says of the plugin: what was opened, or `stage` and `detail`."""
        self.stage = ""
        """What it was doing last."""
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when nothing more can be sent or received."""

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except ProtocolError as error:
            self._end(RunnerGone(f"the runner does not keep to the protocol: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(RunnerGone("the runner has ended"))

    # --- calls

    @property
    def calls(self) -> int:
        """How many calls are open."""
        return len(self._calls)

    def begin(self) -> Call:
        """Return a new call. Raises `RunnerGone`."""
        if self.lost.done():
            raise RunnerGone("the runner has ended")
        calls = self._calls
        while True:
            self._last = self._last % _LARGEST_ID + 1
            if self._last not in calls:
                break
        call = calls[self._last] = Call(self._last, self.write)
        return call

    def end(self, call: Call) -> None:
        """Forget a call; cancel it if it is not over."""
        call.cancel()
        self._calls.pop(call.id, None)

    def write(self, data: bytes) -> None:
        """Send a frame, with all others of this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self.lost.done():
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    # --- the runner itself

    async def open(self, file: str, symbol: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Let it open a plugin; return what it says. Raises `RunnerGone`."""
        content = json.dumps({"file": file, "symbol": symbol, "config": dict(config)})
        self.write(wire.frame(wire.OPEN, 0, content.encode()))
        await asyncio.wait((self.opened, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if not self.opened.done():
            raise RunnerGone("the runner has ended")
        return self.opened.result()

    async def ping(self) -> None:
        """Return when it answers. Raises `RunnerGone`."""
        if self.lost.done():
            raise RunnerGone("the runner has ended")
        if self._pong is None:
            self._pong = self._loop.create_future()
            self.write(wire.frame(wire.PING, 0))
        pong = self._pong
        await asyncio.wait((pong, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if not pong.done():
            raise RunnerGone("the runner has ended")

    def close(self) -> None:
        """Close it: the runner ends by that."""
        self._end(RunnerGone("the plugin was stopped"))

    def _take(self, frame: Frame) -> None:
        call = self._calls.get(frame.id)
        if frame.id:
            if call is not None:
                call.take(frame)
            return  # the call was given up while this frame was on its way
        if frame.kind == wire.STAGE:
            self.stage = frame.payload.decode("utf-8", "replace")
        elif frame.kind == wire.PONG:
            pong, self._pong = self._pong, None
            if pong is not None:
                pong.set_result(None)
        elif frame.kind in (wire.READY, wire.FAILED) and not self.opened.done():
            self.opened.set_result(_facts(frame.payload))
        else:
            raise ProtocolError(f"an unexpected frame of kind {frame.kind}")

    def _end(self, error: RunnerGone) -> None:
        if self.lost.done():
            return
        self.lost.set_result(None)
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.fail(error)
        if self._transport is not None:
            self._transport.abort()


def _facts(payload: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(payload)
    except ValueError as error:
        raise ProtocolError("what it says of the plugin is not JSON") from error
    if not isinstance(facts, dict):
        raise ProtocolError("what it says of the plugin is not an object")
    return cast("dict[str, Any]", facts)
