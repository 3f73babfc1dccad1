"""A route with MCP plugins in a data plane, and a server that says what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from plugbay.gateway import Member
from plugbay.kernel import Generation
from plugbay.mcp import Chain, Current, HttpBridge, Observers
from plugbay.observability import Registry
from plugbay.sdk import API, Manifest, Order
from unit.gateway.core.rig import GET, RawUpstream, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from plugbay.mcp import Member as McpMember
    from unit.gateway.core.rig import Client, Rig

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}}
TOLD = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}
RESULT = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
LIMIT = 4096


def dumps(message: object) -> bytes:
    return json.dumps(message).encode()


def event(message: object) -> bytes:
    return b"event: message\r\ndata: " + dumps(message) + b"\r\n\r\n"


def post(body: bytes, *more: bytes) -> tuple[bytes, bytes]:
    head = b"POST / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n%bcontent-length: %d\r\n\r\n"
    return head % (b"".join(one + b"\r\n" for one in more), len(body)), body


def whole(body: bytes, status: bytes = b"200 OK") -> list[bytes]:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return [head % (status, len(body)) + body]


def stream(*events: bytes) -> list[bytes]:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return [head, *(b"%x\r\n%b\r\n" % (len(one), one) for one in events), b"0\r\n\r\n"]


class Upstream(RawUpstream):
    """A server that says the parts of its response one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = whole(dumps(RESULT))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.read(reader)
            for part in self.parts:
                writer.write(part)
                await writer.drain()
                for _ in range(8):
                    await asyncio.sleep(0)


class Route:
    """A gateway's route with MCP plugins, and its server."""

    def __init__(self, gate: Rig, up: Upstream, chain: Chain) -> None:
        self.gate, self.up, self.chain = gate, up, chain

    async def settled(self) -> None:
        """Wait until nothing is inside any more."""
        table = self.gate.plane.table
        assert table is not None
        await until(lambda: not any(chain.in_flight for chain in table.chains))
        await until(lambda: not self.chain.inside)
        for pool in self.gate.pools.pools:
            await until(lambda pool=pool: pool.in_flight == 0)

    async def connected(self) -> Client:
        """Return a client of a gateway that has a connection to spare."""
        client = await self.gate.connect()
        client.send(GET)
        await client.response()
        self.up.bodies.clear()
        self.up.heads.clear()
        return client


@contextlib.asynccontextmanager
async def route(
    *plugins: McpMember, others: Sequence[Member] = (), limit: int = LIMIT
) -> AsyncIterator[Route]:
    chain = Chain(plugins, Registry(), time.perf_counter)
    bridge = HttpBridge("r", Current(chain), Observers(), max_message=limit)
    order = Order(phase="pre-response", priority=2**31 - 1)
    manifest = Manifest(id="mcp:r", version="1", api=API, runtime="python", entry="", order=order)

    async def never(_: int) -> Any:
        raise RuntimeError("it is built by hand")

    own = Generation("mcp:r", 0, "", 0, manifest, never)
    own.instance = bridge
    last = Member(id="mcp:r", generation=own, order=order, closed=True, limits_ms=0)
    up = Upstream()
    async with up.running(), rig(up.address, members=[*others, last]) as gate:
        yield Route(gate, up, chain)


def waiting(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same hook as a coroutine that waits."""

    async def waits(message: Any) -> Any:
        await asyncio.sleep(0)
        return hook(message)

    return waits


def nothing(_: Any) -> None:
    """Pass it on."""


def stamp(message: Any) -> Any:
    return message.replace(result={"stamped": True})
