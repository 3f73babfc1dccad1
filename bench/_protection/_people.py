"""What geo and zerotrust cost for each request, and a sign-in."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time

from bench._protection._rig import ROOT, ROUNDS, addresses, load, microseconds
from plugbay.sdk import Request
from plugbay.sdk.testing import FakeHost

geo = load("plugbay_geo")


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


def signed_in() -> None:
    """What zerotrust costs for each request of somebody who has signed in, and a sign-in."""
    asyncio.run(_signed_in())


async def _signed_in() -> None:
    zerotrust = load("plugbay_zerotrust")
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
