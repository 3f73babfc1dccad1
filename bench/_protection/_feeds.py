"""The index of threat: looked up in, of millions, and built beside an event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._protection._rig import addresses, load, microseconds, rss
from plugbay.sdk.protection import number_of
from plugbay.sdk.testing import FakeHost

threat = load("plugbay_threat")
job = load("plugbay_threat._job")


def feeds(folder: Path) -> tuple[Any, ...]:
    """Return the real feeds, or made-up ones of the same size."""
    real = os.environ.get("PLUGBAY_THREAT_DATA")
    if not real:
        path = folder / "made-up.txt"
        path.write_text("\n".join(addresses(56_624)))
        return (threat.Feed(name="made-up", path=str(path)),)
    found = [p for p in sorted(Path(real).iterdir()) if p.suffix in (".txt", ".tsv")]
    return tuple(threat.Feed(name=p.name, path=str(p)) for p in found)


def lookups() -> None:
    """The index as a request meets it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        report = job.run(threat.Config(feeds=feeds(folder)), folder)
        print(f"compiled {report['indicators']} in {time.perf_counter() - began:.2f} s")
        index = job.Index.open(folder / job.INDEX)
        print(f"{len(index)} spans, {(folder / job.INDEX).stat().st_size / 1e6:.2f} MB")
        _lookups(index)


def _lookups(index: Any) -> None:
    texts = addresses(5000)
    numbers = [found[1] for text in texts if (found := number_of(text))]
    long = [random.getrandbits(128) for _ in range(5000)]

    def whole(count: int) -> None:
        for n in range(count):
            found = number_of(texts[n])
            if found is not None:
                index.four(found[1])

    def four(count: int) -> None:
        for n in range(count):
            index.four(numbers[n])

    def six(count: int) -> None:
        for n in range(count):
            index.six(long[n])

    def domain(count: int) -> None:
        for _ in range(count):
            index.domain("www.example.com")

    print("text and IPv4 lookup: ", microseconds(whole))
    print("IPv4 lookup:          ", microseconds(four))
    print("IPv6 lookup:          ", microseconds(six))
    print("domain (2 names):     ", microseconds(domain))


def indicators() -> None:
    """Five million indicators."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chance = random.Random(2)
        with (folder / "many").open("w") as file:
            for _ in range(5_000_000):
                n = chance.getrandbits(32)
                file.write(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n")
        config = threat.Config(feeds=(threat.Feed(name="many", path=str(folder / "many")),))
        began = time.perf_counter()
        child = multiprocessing.get_context("fork").Process(target=job.run, args=(config, folder))
        child.start()
        child.join()
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
        print(f"5 M indicators: compiled in {time.perf_counter() - began:.0f} s, {most:.0f} MB")
        before = rss()
        index = job.Index.open(folder / job.INDEX)
        _lookups(index)
        size = (folder / job.INDEX).stat().st_size / 1e6
        print(f"index of {len(index)} spans: file {size:.0f} MB, resident {rss() - before:.0f} MB")


def building() -> None:
    """The plugin fetches, builds and swaps an index; how long the event loop waits meanwhile.

    PLUGBAY_THREAT_COUNT says of how many indicators, else 5 million.
    """
    asyncio.run(_building(int(os.environ.get("PLUGBAY_THREAT_COUNT", "5000000"))))


async def _building(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        chance, path = random.Random(2), Path(name) / "many"
        with path.open("w") as file:
            for _ in range(count):
                file.write(".".join(map(str, chance.getrandbits(32).to_bytes(4))) + "\n")
        host = FakeHost("threat", data_dir=Path(name))
        feed = threat.Feed(name="many", path=str(path))
        before = rss()
        plugin = threat.Threat(threat.Config(mode="enforce", feeds=(feed,)), host)
        began = time.perf_counter()
        await plugin.start()
        delays, last, cpu = list[tuple[float, float]](), began, time.process_time()
        while not len(plugin.keeper.index):
            await asyncio.sleep(0.001)
            now, used = time.perf_counter(), time.process_time()
            delays.append((now - last - 0.001, used - cpu))
            last, cpu = now, used
        worst = max(delays)
        print(
            f"{len(plugin.keeper.index)} spans after {last - began:.0f} s; the loop waited ", end=""
        )
        print(f"{worst[0] * 1e3:.1f} ms at most, of which it used {worst[1] * 1e3:.1f} ms itself")
        _lookups(plugin.keeper.index)
        print(f"resident: {rss() - before:.0f} MB more")
        await plugin.stop()
        await host.close()
