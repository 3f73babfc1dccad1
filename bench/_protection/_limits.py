"""The exact limit of antiabuse, and whole hooks, for each request."""

from __future__ import annotations

import asyncio
import mmap
import multiprocessing
import random
import time
from typing import Any

from bench._protection._rig import addresses, load, microseconds, rss
from plugbay.sdk import Request, SharedMemory
from plugbay.sdk.testing import FakeHost

antiabuse = load("plugbay_antiabuse")
gcra = load("plugbay_antiabuse._gcra")
tarpit = load("plugbay_tarpit")
threat = load("plugbay_threat")


def shared(members: int, clients: int, index: int = 0, block: Any = None) -> SharedMemory:
    size = clients * (gcra.SIZE + gcra.EACH * members)
    return SharedMemory(memoryview(block or mmap.mmap(-1, size)), index, members)


def hits() -> None:
    """GCRA and whole hooks, for each request."""
    table, rate, names = (
        gcra.Buckets(shared(4, 65_536), b"s" * 16),
        gcra.Rate.of(100, 10),
        addresses(1000),
    )
    now = time.monotonic_ns()

    def take(count: int) -> None:
        for n in range(count):
            table.take(names[n % 1000], rate, now + n)

    def strangers(count: int) -> None:
        for _ in range(count):
            table.take(str(random.random()), rate, now)

    print("gcra, known client:   ", microseconds(take))
    print("gcra, stranger:       ", microseconds(strangers))
    asyncio.run(_hooks())


async def _hooks() -> None:
    requests = [Request("GET", "/a?b=c", client=client) for client in addresses(1000)]
    for cls, config in (
        (antiabuse.AntiAbuse, antiabuse.Config(mode="enforce", limit=10**9)),
        (threat.Threat, threat.Config(mode="enforce")),
        (tarpit.Tarpit, tarpit.Config(mode="enforce")),
    ):
        host = FakeHost()
        plugin: Any = cls(config, host)
        await plugin.start()

        def ask(count: int, plugin: Any = plugin) -> None:
            for n in range(count):
                plugin.on_request(requests[n % 1000])

        print(f"{cls.__name__}.on_request:".ljust(22), microseconds(ask))
        await plugin.stop()
        await host.close()


def _hammer(block: Any, index: int, until: float, found: Any) -> None:
    table = gcra.Buckets(shared(8, 1024, index, block), b"s" * 16)
    rate, asked, passed = gcra.Rate.of(10_000, 1.0), 0, 0
    while (now := time.monotonic_ns()) < until:
        asked += 1
        passed += table.take("one", rate, now).allowed
    found.put((asked, passed))


def exactness() -> None:
    """Processes ask for one client as fast as they can: the worst case there is."""
    context = multiprocessing.get_context("fork")
    for processes in (1, 2, 4):
        block = mmap.mmap(-1, 1024 * (gcra.SIZE + gcra.EACH * 8))
        found = context.SimpleQueue()
        until = time.monotonic_ns() + 3_000_000_000
        workers = [
            context.Process(target=_hammer, args=(block, index, until, found))
            for index in range(processes)
        ]
        for worker in workers:
            worker.start()
        said = [found.get() for _ in workers]
        for worker in workers:
            worker.join()
        asked, passed = (sum(column) for column in zip(*said, strict=True))
        print(f"{processes} processes: {asked} asked, {passed} passed of 40000: ", end="")
        print(f"{(passed / 40_000 - 1) * 100:+.2f} %")


def clients() -> None:
    """Five million clients of one limit."""
    before = rss()
    table = gcra.Buckets(shared(4, 5_000_000), b"s" * 16)
    rate, now = gcra.Rate.of(100, 10), time.monotonic_ns()
    began = time.perf_counter()
    for n in range(5_000_000):
        table.take(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", rate, now)
    print(f"5 M clients: {rss() - before:.0f} MB, {time.perf_counter() - began:.0f} s, ", end="")
    print(f"{table.shared} strangers shared a slot")
