"""One direction of a stdio session: lines come, pass their hooks, and go on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from plugbay.mcp._framing import MAX_MESSAGE, LineSplitter
from plugbay.mcp.conversation._batch import receive_body
from plugbay.mcp.conversation._sent import Sent
from plugbay.mcp.pipes._inlet import Inlet
from plugbay.mcp.pipes._outlet import Outlet
from plugbay.mcp.pipes._streams import CHUNK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from plugbay.mcp._framing import TooLong
    from plugbay.mcp.conversation._conversation import Conversation
    from plugbay.mcp.conversation._waiting import Waiting
    from plugbay.mcp.pipes._streams import Reader, Writer
    from plugbay.mcp.stdio._busy_poll import BusyPoll
    from plugbay.sdk import Direction

_log = logging.getLogger("plugbay.mcp")
DETACHED = 256
"""Messages whose hooks may wait at once, without holding up those behind them."""
_BRACKET = ord("[")
LARGE = 65536
"""Bytes of a message that is not copied to be sent together with others."""


class Pump:
    """Takes what `onward`'s other side is to get; `back` is where the sender reads.

    Where no hook waits and both sides read, all is done in the turn of the event loop that has
    brought the bytes: neither a task nor a future is made.
    """

    def __init__(
        self,
        conversation: Conversation,
        direction: Direction,
        onward: Writer,
        back: Writer,
        poll: BusyPoll | None = None,
    ) -> None:
        self._conversation, self._poll = conversation, poll
        self._direction: Direction = direction
        self._onward, self._back = onward, back
        self._behind: list[Writer] = []
        self._detached: set[asyncio.Task[None]] = set()

    async def run(self, source: Reader, limit: int = MAX_MESSAGE) -> bool:
        """Pass on what a source brings until it ends; False if a side has gone before."""
        splitter, poll = LineSplitter(limit), self._poll

        def take(data: bytes) -> Awaitable[bool] | None:
            work = self._take(splitter.feed(data))
            if work is None and poll is not None:
                self._await_next(poll)
            return work

        whole = True
        if isinstance(source, Inlet):
            for writer in (self._onward, self._back):
                if isinstance(writer, Outlet):
                    writer.broken.append(source.give_up)
            whole = await source.each(take)
        else:
            while whole and (data := await source.read(CHUNK)):
                work = take(data)
                whole = work is None or await work
        if whole and splitter.rest:
            _log.warning(
                "%d bytes %s without a line feed were dropped", splitter.rest, self._direction
            )
        return whole

    async def take(self, lines: Sequence[bytes | TooLong]) -> bool:
        """Pass lines on; False if a side has gone."""
        work = self._take(lines)
        return work is None or await work

    def stop(self) -> None:
        """Let no hook go on waiting."""
        for task in self._detached:
            task.cancel()

    def _await_next(self, poll: BusyPoll) -> None:
        """Stay awake for what comes next, unless the last has not left us yet."""
        if isinstance(self._onward, Outlet) and self._onward.sent:
            poll.passed(self._direction, len(self._conversation.exchanges))

    def _take(self, lines: Sequence[bytes | TooLong]) -> Awaitable[bool] | None:
        """Pass lines on at once. If a hook or a side must be waited for, return that."""
        stop = self._some(lines)
        if stop is not None:
            return self._rest(*stop)
        return self._drained() if self._behind else None

    async def _rest(self, work: Awaitable[Sent], lines: Sequence[bytes | TooLong]) -> bool:
        while True:
            self._send(await work)
            if not await self._drained():
                return False
            stop = self._some(lines)
            if stop is None:
                return await self._drained()
            work, lines = stop

    def _some(
        self, lines: Sequence[bytes | TooLong]
    ) -> tuple[Awaitable[Sent], Sequence[bytes | TooLong]] | None:
        """Pass lines on; return the first that must be waited for, and those behind it."""
        forward: list[bytes] = []
        back: list[bytes] = []
        stop: tuple[Awaitable[Sent], Sequence[bytes | TooLong]] | None = None
        receive, direction = self._conversation.receive, self._direction
        for number, line in enumerate(lines, 1):
            if isinstance(line, bytes) and line[0] == _BRACKET:
                stop = self._batch(line), lines[number:]
                break
            sent = receive(direction, line)
            if isinstance(sent, Sent):
                if sent.forward:
                    forward.append(sent.forward)
                if sent.back:
                    back.append(sent.back)
            elif sent.detachable and len(self._detached) < DETACHED:
                self._detach(sent)
            else:
                stop = sent.run(), lines[number:]
                break
        if forward:
            self._write(self._onward, forward)
        if back:
            self._write(self._back, back)
        return stop

    async def _batch(self, line: bytes) -> Sent:
        """Several messages in one, as 2025-03-26 has them."""
        batch = await receive_body(self._conversation, self._direction, line)
        return Sent(batch.forward, batch.back)

    def _detach(self, waiting: Waiting) -> None:
        """Let a message's hooks wait without those behind it."""
        task = asyncio.create_task(self._finish(waiting))
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    async def _finish(self, waiting: Waiting) -> None:
        self._send(await waiting.run())

    def _send(self, sent: Sent) -> None:
        if sent.forward:
            self._write(self._onward, [sent.forward])
        if sent.back:
            self._write(self._back, [sent.back])

    def _write(self, writer: Writer, messages: list[bytes]) -> None:
        if max(map(len, messages)) > LARGE:
            for message in messages:
                writer.write(message)
                writer.write(b"\n")
        else:
            messages.append(b"")
            writer.write(b"\n".join(messages))
        if not (isinstance(writer, Outlet) and writer.ready):
            self._behind.append(writer)

    async def _drained(self) -> bool:
        """Wait until the sides that were written to read on; False if one has gone."""
        behind, self._behind = self._behind, []
        try:
            for writer in behind:
                await writer.drain()
        except (OSError, RuntimeError):
            return False
        return True
