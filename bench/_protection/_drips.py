"""Connections that tarpit holds."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import resource
import socket
import time
from typing import TYPE_CHECKING, Any

from bench._protection._rig import rss
from plugbay.gateway import (
    HttpDataPlane,
    ListenerLimits,
    Member,
    RouteSpec,
    UpstreamPools,
    build_table,
)
from plugbay.kernel import Generation, Hook, StatelessInstance
from plugbay.observability import Registry
from plugbay.sdk import Drip, Manifest, Order, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


def _clients(port: int, count: int, pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held: list[socket.socket] = []
    for n in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        client.recv(1000)
        held.append(client)
        if n % 1000 == 999:
            time.sleep(0.05)
    pipe.send("there")
    pipe.recv()


def held(count: int = 10_000) -> None:
    """Connections of a real data plane on uvloop, held by drips of a byte each ten seconds."""
    import uvloop

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_held(min(count, hard // 2)))


async def _held(count: int) -> None:
    meter = Registry()
    plane = HttpDataPlane(ListenerLimits(), time, meter=meter)
    pools = UpstreamPools(time, random.Random(), meter)
    drips: list[Drip] = []

    def on_request(request: Request) -> Response:
        drips.append(Drip(interval=10.0, seconds=600.0, most=count, per_client=count))
        return Response(200, {"content-type": "text/html"}, drips[-1])

    table = build_table(
        [RouteSpec(name="r", plugin="tarpit")],
        (),
        [_member(on_request)],
        pools,
        meter=meter,
        monotonic=time.monotonic,
    )
    plane.install(table)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    await plane.serve([listener])
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=_clients, args=(listener.getsockname()[1], count, theirs)
    )
    before = rss()
    child.start()
    await asyncio.get_running_loop().run_in_executor(None, ours.recv)
    while plane.connections:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.05)
    print(f"{plane.trap.held} held: {(rss() - before) * 1e6 / count:.0f} bytes each, ", end="")
    await asyncio.sleep(11)
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(20)
    spent = (time.process_time() - cpu) / (time.monotonic() - wall)
    print(f"{spent * 100:.2f} % of a core, {plane.trap.held} still held")
    ours.send("end")
    await asyncio.get_running_loop().run_in_executor(None, child.join)
    await plane.close()
    await pools.close()


def _member(on_request: Callable[[Request], Response]) -> Member:
    class Instance(StatelessInstance):
        def __init__(self) -> None:
            self.hooks = {"on_request": Hook(on_request, coroutine=False)}

    async def load(number: int) -> Instance:
        return Instance()

    manifest = Manifest(id="tarpit", version="1", api=1, runtime="python", entry="t:T")
    generation = Generation("tarpit", 1, "sha", 1, manifest, load)
    generation.instance = Instance()
    return Member(id="tarpit", generation=generation, order=Order(), closed=True)
