"""What one MCP call over stdio costs the wrapper in process: `python -m bench.micro_mcp_stdio`.

As `bench.micro_mcp`: the real pumps and no pipes. The calls come one after the other, or 64 in
one read; the plugins look at every message, or at what is in it.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
import time
from typing import TYPE_CHECKING

from bench._mcp_looking import looking
from bench._mcp_ways import call, encode
from bench._micro import compare
from plugbay.mcp import Current, Observers
from plugbay.mcp.conversation._conversation import Conversation  # no part of the public face
from plugbay.mcp.pipes._inlet import Inlet
from plugbay.mcp.pipes._outlet import Outlet
from plugbay.mcp.stdio._pump import Pump
from plugbay.observability import Registry
from plugbay.sdk import McpSession

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Run = Callable[[int], Coroutine[Any, Any, None]]

BATCH = 1280
AT_ONCE = 64


class Pipe(asyncio.Transport):
    """A pipe that takes everything; `last` is what was written."""

    last = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""
        self.last = bytes(data)

    def pause_reading(self) -> None:
        """Nothing is read from it."""

    def resume_reading(self) -> None:
        """Nothing is read from it."""

    def is_closing(self) -> bool:
        """It stays."""
        return False


def wrapper(plugins: int, at_once: int, now: Callable[[], float] = time.perf_counter) -> Run:
    """Return what takes so many calls through a wrapper with so many plugins."""
    session = McpSession(id="bench", server="bench", era="handshake")
    current = Current(looking(plugins, Registry(), now))
    conversation = Conversation(current, session, Observers(), strict=True)
    pipes = Pipe(), Pipe()
    inlets, outlets = (Inlet(), Inlet()), (Outlet(), Outlet())
    for pipe, inlet, outlet in zip(pipes, inlets, outlets, strict=True):
        inlet.connection_made(pipe)
        outlet.connection_made(pipe)
    rounds = exchanges(at_once)

    async def run(count: int) -> None:
        up = Pump(conversation, "to-server", outlets[1], outlets[0])
        down = Pump(conversation, "to-client", outlets[0], outlets[1])
        tasks = (
            asyncio.create_task(up.run(inlets[0])),
            asyncio.create_task(down.run(inlets[1])),
        )
        await asyncio.sleep(0)
        asked = answered = b""
        for asked, answered in itertools.islice(itertools.cycle(rounds), count // at_once):
            inlets[0].data_received(asked)
            inlets[1].data_received(answered)
        if (pipes[1].last, pipes[0].last) != (asked, answered):
            raise RuntimeError("the wrapper does not work")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    return run


def exchanges(at_once: int) -> list[tuple[bytes, bytes]]:
    """Return calls as a client writes them, and their responses, so many in one piece."""
    result = {"content": [{"type": "text", "text": '{"message": "hello"}'}], "isError": False}
    asked = [call(id) + b"\n" for id in range(AT_ONCE)]
    answered = [
        encode({"jsonrpc": "2.0", "id": id, "result": result}) + b"\n" for id in range(AT_ONCE)
    ]
    return [
        (b"".join(asked[n : n + at_once]), b"".join(answered[n : n + at_once]))
        for n in range(0, AT_ONCE, at_once)
    ]


CASES = {
    f"{plugins} plugins, {at_once} at once": functools.partial(wrapper, plugins, at_once)
    for plugins, at_once in itertools.product((0, 1, 10), (1, AT_ONCE))
}


def main() -> int:
    """Print the table."""
    # Under valgrind hooks take 50 times as long, which is another case for a histogram.
    clock = functools.partial(next, itertools.count(0.0, 2e-7))
    return compare(
        "bench.micro_mcp_stdio",
        "Micro, MCP over stdio",
        __doc__,
        CASES,
        unit="call",
        batch=BATCH,
        rounds=20,
        counted={name: functools.partial(case, now=clock) for name, case in CASES.items()},
    )


if __name__ == "__main__":
    sys.exit(main())
