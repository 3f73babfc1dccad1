"""What the protection plugins cost: microseconds, memory, exactness, and held connections.

`python -m bench.protection [part ...]`; `PARTS` below has their names. The threat data is read from
the directory in PLUGBAY_THREAT_DATA if it is set, else made up. PLUGBAY_GEO_DATABASES names
databases, separated by colons, instead of the small ones of the tests.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import multiprocessing
import os
import random
import resource
import socket
import statistics
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
for _name in ("antiabuse", "geo", "threat", "tarpit", "mlabuse", "ratelimit-ml", "zerotrust"):
    sys.path.append(str(ROOT / "plugins" / "protection" / _name / "src"))

from plugbay.gateway import (  # noqa: E402
    HttpDataPlane,
    ListenerLimits,
    Member,
    RouteSpec,
    UpstreamPools,
    build_table,
)
from plugbay.kernel import Generation, Hook  # noqa: E402
from plugbay.observability import Registry  # noqa: E402
from plugbay.sdk import Drip, Manifest, Order, Request, Response, SharedMemory  # noqa: E402
from plugbay.sdk.protection import number_of  # noqa: E402
from plugbay.sdk.testing import FakeHost  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

# Plugins are no packages of this project: they are found by the path above.
antiabuse: Any = import_module("plugbay_antiabuse")
gcra: Any = import_module("plugbay_antiabuse._gcra")
geo: Any = import_module("plugbay_geo")
tarpit: Any = import_module("plugbay_tarpit")
threat: Any = import_module("plugbay_threat")
job: Any = import_module("plugbay_threat._job")
ROUNDS = 15


def microseconds(work: Callable[[int], object], count: int = 5000) -> str:
    """Return the best and the median of some rounds, of processor time: others may be busy."""
    took: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        work(count)
        took.append((time.thread_time() - began) / count * 1e6)
    return f"best {min(took):.2f} µs, median {statistics.median(took):.2f} µs"


def shared(members: int, clients: int, index: int = 0, block: Any = None) -> SharedMemory:
    size = clients * (gcra.SIZE + gcra.EACH * members)
    return SharedMemory(memoryview(block or mmap.mmap(-1, size)), index, members)


def addresses(count: int) -> list[str]:
    chance = random.Random(1)
    return [".".join(str(chance.randrange(1, 255)) for _ in range(4)) for _ in range(count)]


def rss() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 1e6


# --- hits -----------------------------------------------------------------------------------------


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


# --- places ---------------------------------------------------------------------------------------


def places() -> None:
    """What geo costs, with policy, rate and journeys."""
    asyncio.run(_places())


async def _places() -> None:
    data = ROOT / "plugins/protection/geo/tests/data"
    default = f"{data}/GeoLite2-City-Test.mmdb:{data}/GeoLite2-ASN-Test.mmdb"
    files = tuple(os.environ.get("PLUGBAY_GEO_DATABASES", default).split(":"))
    rates = {"*": geo.Rate(limit=1_000_000)}
    known = [f"89.160.20.{112 + n % 16}" for n in range(1000)]
    host = FakeHost()
    config = geo.Config(
        mode="enforce",
        databases=files,
        deny_countries=("ZZ",),
        country_rates=rates,
        key_header="x-key",
    )
    plugin = geo.Geo(config, host)
    await plugin.start()
    strangers = iter(addresses(5000 * ROUNDS))

    def look(count: int) -> None:
        for _ in range(count):
            plugin.databases.find(next(strangers))

    print("lookup, stranger:     ", microseconds(look))
    for name, fields in (("address", {}), ("key", {"x-key": "abc"})):
        requests = [Request("GET", "/", headers=fields, client=client) for client in known]

        def ask(count: int, requests: list[Request] = requests) -> None:
            for n in range(count):
                plugin.on_request(requests[n % 1000])

        print(f"Geo.on_request, {name}:".ljust(22), microseconds(ask))
    await plugin.stop()
    await host.close()


# --- sign-ins -------------------------------------------------------------------------------------


def signed_in() -> None:
    """What zerotrust costs for each request of somebody who has signed in, and a sign-in."""
    asyncio.run(_signed_in())


async def _signed_in() -> None:
    zerotrust: Any = import_module("plugbay_zerotrust")
    host, password = FakeHost(), "correct horse battery"
    policies = tuple(zerotrust.Policy(name=f"p{n}", paths=(f"/p{n}",)) for n in range(20))
    plugin = zerotrust.ZeroTrust(zerotrust.Config(mode="enforce", policies=policies), host)
    await plugin.start()
    await plugin.on_operation("create", {"user": "alice", "password": password})
    body = json.dumps({"username": "alice", "password": password, "deliver": "body"}).encode()

    async def read(limit: int) -> bytes:
        return body

    fields = {"content-type": "application/json"}
    token, began = "", time.perf_counter()
    for _ in range(5):
        login = Request("POST", "/ztna/login", headers=fields, client="192.0.2.1", reader=read)
        answer = await plugin.on_request(login)
        token = json.loads(answer.body)["session"]
    print(f"sign-in (argon2id):    {(time.perf_counter() - began) / 5 * 1e3:.0f} ms")

    async def ask(count: int) -> None:
        for _ in range(count):
            shown = {"x-ztna-session": token}
            await plugin.on_request(Request("GET", "/a", headers=shown, client="192.0.2.1"))

    took: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        await ask(2000)
        took.append((time.thread_time() - began) / 2000 * 1e6)
    print(
        f"ZeroTrust.on_request:  best {min(took):.2f} µs, median {statistics.median(took):.2f} µs"
    )
    await plugin.stop()
    await host.close()


# --- one limit over several processes -------------------------------------------------------------


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


# --- lookups --------------------------------------------------------------------------------------


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


# --- models ---------------------------------------------------------------------------------------


def models() -> None:
    """The payload classifier and the behaviour model, as a request meets them."""
    asyncio.run(_payloads())
    asyncio.run(_behaviour())


async def _payloads() -> None:
    mlabuse: Any = import_module("plugbay_mlabuse")
    plugin = mlabuse.MlAbuse(mlabuse.Config(mode="enforce"), FakeHost())
    await plugin.start()
    for name, target in (
        ("short path", "/index.html"),
        ("key look-up", "/pks/lookup?op=get&options=mr&search=0x0123456789ABCDEF"),
        ("211 bytes", "/search?q=" + "plain%20words%20and%20" * 9 + "abc"),
        ("8 parameters", "/a?" + "&".join(f"name{n}=value{n}" for n in range(8))),
        ("4 KiB", "/search?q=" + "plain+words+" * 341),
    ):
        request = Request("GET", target, client="192.0.2.1")

        def ask(count: int, request: Request = request) -> None:
            for _ in range(count):
                plugin.on_request(request)

        print(f"mlabuse, {name}:".ljust(34), microseconds(ask, 1000))
    await plugin.stop()


async def _behaviour() -> None:
    ml: Any = import_module("plugbay_ratelimit_ml")
    host = FakeHost()
    plugin = ml.RateLimitMl(ml.Config(mode="enforce"), host)
    began = time.perf_counter()
    await plugin.start()
    worst, last = 0.0, time.perf_counter()
    while plugin.scorer.model is None:
        await asyncio.sleep(0.002)
        now = time.perf_counter()
        worst, last = max(worst, now - last), now
    print(f"river is there after {last - began:.1f} s; the loop was held up for ", end="")
    print(f"{(worst - 0.002) * 1e3:.0f} ms at most; resident {rss():.0f} MB")
    fields = {"user-agent": "Mozilla/5.0", "referer": "http://a/", "accept": "*/*"}
    requests = [Request("GET", f"/a/{c}.css", client=c, headers=fields) for c in addresses(1000)]
    response = Response(200)

    def ask(count: int) -> None:
        for n in range(count):
            plugin.on_request(requests[n % 1000])

    def complete(count: int) -> None:
        for n in range(count):
            plugin.on_complete(requests[n % 1000], response, None)

    print("ratelimit-ml, nobody is blocked: ", microseconds(ask))
    for n in range(10_000):
        plugin._verdicts.put(f"10.0.{n >> 8}.{n & 255}", "behaviour", host.now() + 900, host.now())
    print("ratelimit-ml, 10,000 are blocked:", microseconds(ask))
    now, verdicts = host.now(), plugin._verdicts

    def read(count: int) -> None:
        for _ in range(count):
            verdicts.get("10.0.1.1", now)

    print("a verdict is read:               ", microseconds(read))
    print("on_complete:                     ", microseconds(complete))
    profile = plugin._profiles.of("192.0.2.1", "Mozilla/5.0", 0.0)

    def score(count: int) -> None:
        for _ in range(count):
            plugin.scorer._one(plugin.scorer.model, "192.0.2.1", profile)

    print("scored and learned, background:  ", microseconds(score, 500))
    await host.close()


# --- memory ---------------------------------------------------------------------------------------


def memory() -> None:
    """Five million clients, and five million indicators."""
    before = rss()
    table = gcra.Buckets(shared(4, 5_000_000), b"s" * 16)
    rate, now = gcra.Rate.of(100, 10), time.monotonic_ns()
    began = time.perf_counter()
    for n in range(5_000_000):
        table.take(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", rate, now)
    print(f"5 M clients: {rss() - before:.0f} MB, {time.perf_counter() - began:.0f} s, ", end="")
    print(f"{table.shared} strangers shared a slot")
    del table
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


# --- held connections -----------------------------------------------------------------------------


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
    class Instance:
        def __init__(self) -> None:
            self.hooks = {"on_request": Hook(on_request, coroutine=False)}

        async def start(self) -> None: ...
        async def stop(self) -> None: ...
        async def health(self) -> None: ...
        async def snapshot(self) -> bytes | None:
            return None

        async def restore(self, state: bytes) -> None: ...

    async def load(number: int) -> Instance:
        return Instance()

    manifest = Manifest(id="tarpit", version="1", api=1, runtime="python", entry="t:T")
    generation = Generation("tarpit", 1, "sha", 1, manifest, load)
    generation.instance = Instance()
    return Member(id="tarpit", generation=generation, order=Order(), closed=True)


PARTS = {
    "hits": hits,
    "places": places,
    "sessions": signed_in,
    "shared": exactness,
    "lookups": lookups,
    "models": models,
    "memory": memory,
    "building": building,
    "held": held,
}


def main() -> None:
    """Run the parts that are named, else all."""
    print(json.dumps({"load": os.getloadavg(), "cores": os.cpu_count()}))
    for name in sys.argv[1:] or PARTS:
        print(f"== {name}")
        PARTS[name]()


if __name__ == "__main__":
    main()
