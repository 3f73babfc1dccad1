"""What one MCP call over HTTP costs the data plane in process: `python -m bench.micro_mcp`.

As `bench.micro`: real protocols and no sockets. The plugins look at every message; both eras; the
server answers by a stream of one event, whose head comes before it, by the same in the three reads
that the official Python SDK's server makes of it, or by one whole JSON body.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import sys
from typing import TYPE_CHECKING, Any

from bench._mcp_looking import built, looking
from bench._mcp_ways import encode, request
from bench._micro import compare
from bench.micro import Wire
from plugbay.app._clock import SystemClock
from plugbay.gateway import (
    HttpDataPlane,
    ListenerLimits,
    Member,
    RouteSpec,
    Target,
    UpstreamPools,
    UpstreamSpec,
    build_table,
)
from plugbay.gateway.downstream._downstream import Downstream  # no part of the public face
from plugbay.gateway.upstream._upstream import Upstream
from plugbay.mcp import Current, HttpBridge, Observers
from plugbay.observability import Registry
from plugbay.sdk import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Run = Callable[[int], Coroutine[Any, Any, None]]

BATCH = 500
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
SESSIONS = b"mcp-session-id: 0123456789abcdef\r\nmcp-protocol-version: 2025-11-25\r\n"
STATELESS = b"mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\n"
ANSWERS = "event", "parts", "JSON"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PARTS = (
    b"HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 02:34:57 GMT\r\nserver: uvicorn\r\n"
    b"content-type: text/event-stream\r\ncache-control: no-store\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Quiet(Wire):
    """A wire whose reading may be paused, and which a sweep of idle connections does not close."""

    def pause_reading(self) -> None:
        """Nothing is read from it."""

    def resume_reading(self) -> None:
        """Nothing is read from it."""

    def close(self) -> None:
        """It stays."""


def bridge(plugins: int, registry: Registry) -> list[Member]:
    """Return what a route has before its server: nothing without plugins."""
    if not plugins:
        return []
    made = HttpBridge("mcp", Current(looking(plugins, registry)), Observers())
    own = built("mcp:mcp", made)
    return [Member(id="mcp:mcp", generation=own, order=Order(), closed=True, limits_ms=0)]


def gateway(plugins: int, *, modern: bool, answer: str) -> Run:
    """Return what takes so many calls through a plane with so many plugins."""
    clock, registry = SystemClock(), Registry()
    plane = HttpDataPlane(ListenerLimits(), clock, meter=registry)
    pools = UpstreamPools(clock, random.Random(1), registry)
    server = UpstreamSpec(name="server", targets=(Target(address="127.0.0.1:1"),))
    plane.install(
        build_table(
            [RouteSpec(name="mcp", upstream="server")],
            [server],
            bridge(plugins, registry),
            pools,
            meter=registry,
            monotonic=clock.monotonic,
        )
    )
    (pool,) = pools.pools
    (target,) = pool.targets.values()
    client, server_wire = Quiet(), Quiet()
    down, up = Downstream(plane, b"http"), Upstream(target)
    down.connection_made(client)
    up.connection_made(server_wire)

    calls = [exchange(id, modern=modern, answer=answer) for id in range(BATCH)]

    async def run(count: int) -> None:
        if not target.spare:
            target.spare.append(up)
        for call, parts in itertools.islice(itertools.cycle(calls), count):
            server_wire.last = client.last = b""
            down.data_received(call)
            await _until(lambda: bool(server_wire.last))
            for part in parts:
                up.data_received(part)
            await _until(lambda: client.last.endswith((b"0\r\n\r\n", b"}")))

    return run


async def _until(done: Callable[[], bool]) -> None:
    """Let the loop turn, where the work is not done in the turn that has begun it."""
    for _ in range(1000):
        if done():
            return
        await asyncio.sleep(0)
    raise RuntimeError("the gateway does not work")


def exchange(id: int, *, modern: bool, answer: str) -> tuple[bytes, tuple[bytes, ...]]:
    """Return a call as a client sends it, and the parts of its response."""
    own = {"_meta": META} if modern else {}
    body = request(id, "tools/call", {**own, "name": "echo", "arguments": {"message": "hello"}})
    head = (
        b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"
        b"accept: application/json, text/event-stream\r\naccept-encoding: gzip, deflate\r\n"
        b"%bcontent-length: %d\r\n\r\n"
    ) % (STATELESS if modern else SESSIONS, len(body))
    result = {"content": [{"type": "text", "text": "hello"}], "isError": False}
    said = encode({"jsonrpc": "2.0", "id": id, "result": result})
    if answer == "JSON":
        return head + body, (WHOLE % (len(said), said),)
    if answer == "parts":
        event = b"event: message\ndata: %b\n\n" % said
        return head + body, (PARTS, b"%x\r\n%b\r\n" % (len(event), event), b"0\r\n\r\n")
    event = b"event: message\r\ndata: %b\r\n\r\n" % said
    return head + body, (STREAM, b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event))


def _cases() -> dict[str, Callable[[], Run]]:
    """Return the cases by name."""
    found: dict[str, Callable[[], Run]] = {}
    for plugins, modern, answer in itertools.product((0, 10), (False, True), ANSWERS):
        era = "stateless" if modern else "sessions"
        found[f"{plugins} plugins, {era}, {answer}"] = functools.partial(
            gateway, plugins, modern=modern, answer=answer
        )
    return found


CASES = _cases()


def main() -> int:
    """Print the table."""
    return compare(
        "bench.micro_mcp", "Micro, MCP", __doc__, CASES, unit="call", batch=BATCH, rounds=10
    )


if __name__ == "__main__":
    sys.exit(main())
