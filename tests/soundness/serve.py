"""Runs a data plane without plugins, in its own process; one JSON object as the argument says how.

It prints a line of JSON with its port, then one line for each line of its standard input: `stats`
asks for figures, `quit` ends it. When the input ends, so does it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from plugbay.app._clock import SystemClock
from plugbay.gateway import ListenerLimits, RouteSpec, UpstreamSpec
from plugbay.gateway._server import HttpDataPlane
from plugbay.gateway.downstream._downstream import Downstream
from plugbay.gateway.routing._table import build_table
from plugbay.gateway.transport._tls import Certificate, ServerTls
from plugbay.gateway.upstream._pools import UpstreamPools
from plugbay.kernel import convert
from plugbay.observability import Registry

if TYPE_CHECKING:
    import ssl


async def main(settings: dict[str, Any]) -> None:
    clock, meter = SystemClock(), Registry()
    tick = float(settings.get("tick", 0.5))
    pools = UpstreamPools(clock, random.SystemRandom(), meter, tick=tick)
    plane = HttpDataPlane(
        convert(settings.get("limits", {}), ListenerLimits, what="limits"),
        clock,
        meter=meter,
        tick=tick,
    )
    table = build_table(
        [convert(each, RouteSpec, what="route") for each in settings["routes"]],
        [convert(each, UpstreamSpec, what="upstream") for each in settings["upstreams"]],
        (),
        pools,
        meter=meter,
        monotonic=clock.monotonic,
    )
    plane.install(table)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    http2 = bool(settings.get("http2"))
    tls = certificates(settings.get("tls", []), http2=http2)
    await plane.serve([listener], tls=tls, http2=http2)
    say({"port": listener.getsockname()[1]})
    await obey(plane, pools)
    await plane.close()
    await pools.close()


def certificates(tls: list[dict[str, str]], *, http2: bool) -> ssl.SSLContext | None:
    pairs = [Certificate(chain=Path(one["chain"]), key=Path(one["key"])) for one in tls]
    return ServerTls(pairs, http2=http2).context if pairs else None


async def obey(plane: HttpDataPlane, pools: UpstreamPools) -> None:
    """Answer commands until `quit` or the end of the input."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while (line := await reader.readline()) not in (b"", b"quit\n"):
        if line == b"stats\n":
            say(figures(plane, pools))
    transport.close()


def figures(plane: HttpDataPlane, pools: UpstreamPools) -> dict[str, int]:
    targets = [target for pool in pools.pools for target in pool.targets.values()]
    return {
        "connections": len(plane.connections),
        "exchanges": sum(map(in_flight, plane.connections)),
        "in_flight": sum(pool.in_flight for pool in pools.pools)
        + sum(target.state.in_flight for target in targets),
        "busy": sum(target.busy for target in targets),
        "spare": sum(len(target.spare) for target in targets),
        "waiting": sum(len(pool.waiting) for pool in pools.pools),
        "counted": sum(pool.connections for pool in pools.pools)
        - sum(len(target.connections) for target in targets),
    }


def in_flight(connection: Any) -> int:
    if isinstance(connection, Downstream):
        return bool(connection.exchange or connection.fast)
    return len(connection.streams)


def say(values: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Errors of the gateway's own, and of asyncio, go to stderr, which must stay empty.
    logging.basicConfig(level=logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(json.loads(sys.argv[1])))
