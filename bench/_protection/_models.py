"""The payload classifier and the behaviour model, as a request meets them."""

from __future__ import annotations

import asyncio
import time

from bench._protection._rig import addresses, load, microseconds, rss
from plugbay.sdk import Request, Response
from plugbay.sdk.testing import FakeHost


def models() -> None:
    """The payload classifier and the behaviour model, as a request meets them."""
    asyncio.run(_payloads())
    asyncio.run(_behaviour())


async def _payloads() -> None:
    mlabuse = load("plugbay_mlabuse")
    made = mlabuse.MlAbuse(mlabuse.Config(mode="enforce"), FakeHost())
    await made.start()
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
                made.on_request(request)

        print(f"mlabuse, {name}:".ljust(34), microseconds(ask, 1000))
    await made.stop()


async def _behaviour() -> None:
    ml = load("plugbay_ratelimit_ml")
    host = FakeHost()
    made = ml.RateLimitMl(ml.Config(mode="enforce"), host)
    began = time.perf_counter()
    await made.start()
    worst, last = 0.0, time.perf_counter()
    while made.scorer.model is None:
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
            made.on_request(requests[n % 1000])

    def complete(count: int) -> None:
        for n in range(count):
            made.on_complete(requests[n % 1000], response, None)

    print("ratelimit-ml, nobody is blocked: ", microseconds(ask))
    for n in range(10_000):
        made._verdicts.put(f"10.0.{n >> 8}.{n & 255}", "behaviour", host.now() + 900, host.now())
    print("ratelimit-ml, 10,000 are blocked:", microseconds(ask))
    now, verdicts = host.now(), made._verdicts

    def read(count: int) -> None:
        for _ in range(count):
            verdicts.get("10.0.1.1", now)

    print("a verdict is read:               ", microseconds(read))
    print("on_complete:                     ", microseconds(complete))
    profile = made._profiles.of("192.0.2.1", "Mozilla/5.0", 0.0)

    def score(count: int) -> None:
        for _ in range(count):
            made.scorer._one(made.scorer.model, "192.0.2.1", profile)

    print("scored and learned, background:  ", microseconds(score, 500))
    await host.close()
