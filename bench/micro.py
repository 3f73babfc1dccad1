"""What one small GET costs the data plane in process: its real protocols, no sockets.

A transport that only keeps what was written stands for the kernel on both sides, so what is left
is our own work and the parser's. `--instructions` counts machine instructions under valgrind,
which a busy machine does not change; without it, CPU time, each case in turn with a baseline that
parses both heads and copies them out again without looking at them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from typing import TYPE_CHECKING, Any, cast

import httptools

from bench._hooks import ApiKey, Count, Mark, members
from bench._micro import compare
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
from plugbay.gateway.downstream._downstream import Downstream  # no part of the public face
from plugbay.gateway.upstream._upstream import Upstream
from plugbay.observability import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.sdk import Phase

BATCH = 1_000
REQUEST = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nx-api-key: k1\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 01 Aug 2025 08:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 134\r\nConnection: keep-alive\r\n"
    b"x-seen: 1\r\n\r\n" + b"x" * 134
)


PATH = REQUEST.replace(b"/hello", b"/hello/%d")
FIELD = REQUEST.replace(b"\r\n\r\n", b"\r\nx-number: %d\r\n\r\n")
BOTH = FIELD.replace(b"/hello", b"/hello?%d")
ANSWER = RESPONSE.replace(b"\r\n\r\n", b"\r\nx-number: %d\r\n\r\n")
BROWSER = (
    b"GET /hello/%d HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nx-api-key: k1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    b"Accept: application/json\r\nAccept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: http://127.0.0.1:8080/page/%d\r\n"
    b"Cookie: session=8c1f0d7e5b; seen=%d\r\nConnection: keep-alive\r\nSec-Fetch-Dest: empty\r\n"
    b"Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n\r\n"
)
IMAGE = BROWSER.replace(b"application/json", b"image/avif,image/webp,*/*;q=0.8").replace(
    b"empty\r\nSec-Fetch-Mode: cors", b"image\r\nSec-Fetch-Mode: no-cors"
)


class Wire(asyncio.Transport):
    """A transport that keeps the last thing written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000)})
        self.last: bytes = b""
        self.write = self._keep  # type: ignore[method-assign] # as uvloop's: no Python below it

    def _keep(self, data: Any) -> None:
        self.last = data

    def is_closing(self) -> bool:
        """It stays open."""
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""


def gateway(
    hooks: int,
    *,
    phase: Phase = "post-routing",
    requests: Sequence[bytes] = (REQUEST,),
    responses: Sequence[bytes] = (RESPONSE,),
) -> Callable[[int], None]:
    """Return a function that takes so many requests through a plane with so many hooks.

    Its messages are like each of those in turn. Every `%d` in them is another number each time:
    there are more than anything remembers.
    """
    clock, registry = SystemClock(), Registry()
    plane = HttpDataPlane(ListenerLimits(), clock, meter=registry)
    pools = UpstreamPools(clock, random.Random(1), registry)
    sample = UpstreamSpec(name="sample", targets=(Target(address="127.0.0.1:1"),))
    plane.install(
        build_table(
            [RouteSpec(name="all", upstream="sample")],
            [sample],
            members(*(ApiKey(), Mark(), Count())[:hooks], phase=phase),
            pools,
            meter=registry,
            monotonic=clock.monotonic,
        )
    )
    (pool,) = pools.pools
    (target,) = pool.targets.values()
    client, server = Wire(), Wire()
    down, up = Downstream(plane, b"http"), Upstream(target)
    down.connection_made(client)
    up.connection_made(server)
    target.spare.append(up)
    source = itertools.cycle(zip(_numbered(requests), _numbered(responses), strict=True))

    def run(count: int) -> None:
        for _ in range(count):
            request, response = next(source)
            down.data_received(request)
            up.data_received(response)

    run(1)
    if not server.last.startswith(b"GET /hello") or b"200 OK" not in client.last:
        raise RuntimeError(f"the gateway does not work: {client.last!r}")
    return run


def _numbered(messages: Sequence[bytes]) -> list[bytes]:
    varied = any(b"%d" in message for message in messages)
    likes = itertools.islice(itertools.cycle(messages), 5 * BATCH)
    filled = [like % ((n,) * like.count(b"%d")) for n, like in enumerate(likes)]
    return filled if varied else [filled[0]] * len(filled)


class Copy:
    """Parses a head and keeps its fields."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field."""
        self.fields.append((name.lower(), value))


def baseline() -> Callable[[int], None]:
    """Return a function that parses so many requests and responses and copies their heads."""
    wire = Wire()
    one, other = Copy(), Copy()
    requests, responses = httptools.HttpRequestParser(one), httptools.HttpResponseParser(other)

    def run(count: int) -> None:
        for _ in range(count):
            for copy, parser, data in ((one, requests, REQUEST), (other, responses, RESPONSE)):
                cast("Any", parser).feed_data(data)
                wire.write(b"".join([b"%b: %b\r\n" % field for field in copy.fields]))
                copy.fields = []

    return run


CASES: dict[str, Callable[[], Callable[[int], None]]] = {
    "baseline": baseline,
    "0 plugins": lambda: gateway(0),
    "3 plugins": lambda: gateway(3),
    "3 plugins before the route": lambda: gateway(3, phase="pre-routing"),
    "3 plugins, another path": lambda: gateway(3, requests=(PATH,)),
    "3 plugins, another field": lambda: gateway(3, requests=(FIELD,)),
    "3 plugins, another answer": lambda: gateway(3, responses=(ANSWER,)),
    "3 plugins, no two heads alike": lambda: gateway(3, requests=(BOTH,), responses=(ANSWER,)),
    "3 plugins, a browser": lambda: gateway(3, requests=(BROWSER,), responses=(ANSWER,)),
    "3 plugins, a browser, two kinds in turn": lambda: gateway(
        3, requests=(BROWSER, IMAGE), responses=(ANSWER,)
    ),
    "3 plugins, the browser repeats itself": lambda: gateway(
        3, requests=(BROWSER.replace(b"%d", b"1"),)
    ),
}


def main() -> int:
    """Print the table."""
    return compare("bench.micro", "Micro", __doc__, CASES, unit="request", batch=BATCH, rounds=30)


if __name__ == "__main__":
    sys.exit(main())
