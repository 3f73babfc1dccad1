"""`python -m bench._plane PORT UPSTREAM [HOOKS [http2]]`: a worker's data plane, nothing else."""

from __future__ import annotations

import asyncio
import random
import socket
import sys

import uvloop

from bench._hooks import ApiKey, Count, Mark, members
from plugbay.app._clock import SystemClock
from plugbay.gateway import (
    HttpDataPlane,
    ListenerLimits,
    RouteSpec,
    Target,
    UpstreamPools,
    UpstreamSpec,
    build_table,
)
from plugbay.observability import Registry


async def serve(port: int, upstream: int, hooks: int, *, http2: bool) -> None:
    """Serve until the process is ended."""
    clock, registry = SystemClock(), Registry()
    plane = HttpDataPlane(ListenerLimits(), clock, meter=registry)
    pools = UpstreamPools(clock, random.Random(), registry)
    sample = UpstreamSpec(name="sample", targets=(Target(address=f"127.0.0.1:{upstream}"),))
    plane.install(
        build_table(
            [RouteSpec(name="all", upstream="sample")],
            [sample],
            members(*(ApiKey(), Mark(), Count())[:hooks]),
            pools,
            meter=registry,
            monotonic=clock.monotonic,
        )
    )
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    await plane.serve([listener], http2=http2)
    await asyncio.Event().wait()


if __name__ == "__main__":
    hooks = int((*sys.argv, "3")[3])
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), hooks, http2="http2" in sys.argv[4:]))
