"""A pipe is closed once, whatever the event loop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
import uvloop

from plugbay.isolation import read_pipe, write_pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Loop = Callable[[], asyncio.AbstractEventLoop]

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


class End(asyncio.Protocol):
    """Keeps what has come."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


def run(loop: Loop, work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@LOOPS
def test_what_is_written_is_read_and_both_ends_are_closed(loop: Loop) -> None:
    async def use() -> None:
        ends = [os.fdopen(fd, mode, 0) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
        reading, reader = await read_pipe(End, ends[0])
        writing, writer = await write_pipe(End, ends[1])
        descriptors = [one.get_extra_info("pipe").fileno() for one in (reading, writing)]
        writing.write(b"hello")
        writing.close()
        async with asyncio.timeout(100):
            await writer.lost.wait()
            await reader.lost.wait()
        assert reader.data == b"hello"
        assert not any(map(is_open, descriptors))
        assert all(end.closed for end in ends)

    run(loop, use())


def test_a_loop_that_closes_descriptors_finds_a_file_that_does_not() -> None:
    async def use() -> None:
        source, other = os.pipe()
        transport, end = await read_pipe(End, os.fdopen(source, "rb", 0))
        file = transport.get_extra_info("pipe")
        descriptor = file.fileno()
        spare = os.dup(descriptor)
        file.close()
        closed = not is_open(descriptor)
        if closed:
            os.dup2(spare, descriptor)  # else the loop would wait for ever
        transport.close()
        async with asyncio.timeout(100):
            await end.lost.wait()
        assert not closed, "the number may be somebody else's by then"
        assert not is_open(descriptor)
        os.close(spare)
        os.close(other)

    run(uvloop.new_event_loop, use())
