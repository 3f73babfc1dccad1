"""The same request on the fast path and on the general one: what was seen, and what was counted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from plugbay.kernel import CircuitBreaker
from plugbay.sdk import Order
from unit.gateway.core.rig import GET, OK, RawUpstream, rig, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway import Member
    from unit.gateway.core.rig import Rig

Fields = list[tuple[bytes, bytes]]
Seen = tuple[bytes, Fields, bytes]
EARLY = Order(phase="pre-routing")


def parsed(head: bytes) -> tuple[bytes, Fields]:
    """Split a head; names in lower case, and without what differs from one request to the next."""
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    pairs = (
        (name.lower(), value.strip()) for name, _, value in (f.partition(b":") for f in fields)
    )
    return line, sorted(pair for pair in pairs if pair[0] not in (b"x-request-id", b"date"))


async def seen(
    data: bytes, response: bytes, members: Sequence[Member], *, fast: bool, count: int = 1
) -> tuple[list[Seen], bytes, list[tuple[bytes, Fields]], list[object]]:
    """Send `data` on a kept connection; return what the upstream and the client saw, and counts."""
    up = RawUpstream()
    for each in members:
        each.generation.breaker = CircuitBreaker(time)  # what the other path broke is mended
    async with up.running(), rig(up.address, members=members) as gate:
        client = await gate.connect()
        client.send(GET.replace(b"host: a\r\n", b"host: a\r\nx-first: 1\r\n"))
        await client.response()  # now there is a connection to spare
        assert gate.plane.ways is not None
        if not fast:
            gate.plane.ways = None
        up.response = response
        heads: list[tuple[bytes, Fields]] = []
        answer = b""
        for number in range(3):  # the third finds everything remembered
            client.send(data)
            for _ in range(count):
                async with asyncio.timeout(100):
                    head = await client.reader.readuntil(b"\r\n\r\n")
                line, fields = parsed(head)
                heads.append((line, fields))
                size = int(dict(fields).get(b"content-length", b"0"))
                answer += await client.reader.readexactly(size)
            if (b"connection", b"close") in heads[-1][1]:
                assert await client.ended() == b""
                client = await gate.connect()
            assert len(up.heads) <= 1 + count * (number + 1)
        await settled(gate)
        counts = counted(gate)
        heads_up = [parsed(head) for head in up.heads[1:]]
        bodies = up.bodies[1:]
        assert all(b"x-request-id: " in head for head in up.heads)
    return (
        [(*head, body) for head, body in zip(heads_up, bodies, strict=True)],
        answer,
        heads,
        counts,
    )


def counted(gate: Rig) -> list[object]:
    """Return what was counted, but for times."""
    table = gate.plane.table
    assert table is not None
    routes = [route.series for route in table.router.handlers()]
    chains = [(chain.tally.entered, chain.tally.cancelled) for chain in table.chains]
    links = [link for chain in table.chains for link in chain.links]
    for link in links:
        link.series.settle()
    return [
        *chains,
        *((s.requests, s.bytes_in, s.bytes_out) for s in (*routes, gate.plane.unmatched)),
        *((p.passed, p.answered, p.failed, p.skipped) for p in (link.series for link in links)),
        *(sum(link.series.duration.counts) for link in links),
        *(link.breaker and link.breaker.state for link in links),
    ]


async def settled(gate: Rig) -> None:
    """Wait until nothing is in flight; then every count agrees."""
    table = gate.plane.table
    assert table is not None
    await until(lambda: not any(route.series.in_flight for route in table.router.handlers()))
    await until(lambda: not any(chain.in_flight for chain in table.chains))  # observers were told
    for chain in table.chains:
        tally = chain.tally
        assert tally.entered == tally.finished + tally.cancelled
    for pool in gate.pools.pools:
        assert pool.in_flight == 0
        assert not any(target.state.in_flight for target in pool.targets.values())


def both(data: bytes, response: bytes = OK, *members: Member, count: int = 1) -> None:
    """Assert that both paths do the same."""
    fast = asyncio.run(seen(data, response, members, fast=True, count=count))
    general = asyncio.run(seen(data, response, members, fast=False, count=count))
    assert fast == general
    assert len(fast[0]) <= 3 * count


REQUESTS = {
    "plain": GET,
    "query": b"GET /a/b?x=1&y=%20 HTTP/1.1\r\nhost: a\r\n\r\n",
    "cases": b"GET / HTTP/1.1\r\nHOST: A.test:80\r\nX-One: 1\r\nAccept: */*\r\n\r\n",
    "spaces": b"GET / HTTP/1.1\r\nhost:a\r\nx-one:   1\r\nx-two: 2 \t\r\n\r\n",
    "keep-alive": b"GET / HTTP/1.1\r\nhost: a\r\nConnection: keep-alive\r\n\r\n",
    "close": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "nominated": b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nconnection: x-a\r\n\r\n",
    "spoofed": b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.2.3.4\r\nforwarded: for=x\r\n\r\n",
    "repeated": b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nX-A: 2\r\nx-a: 3\r\n\r\n",
    "named": b"GET / HTTP/1.1\r\nhost: a\r\nx-request-id: theirs\r\n\r\n",
    "secret": b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\ncookie: a=b\r\n\r\n",
    "dots": b"GET /a/../b HTTP/1.1\r\nhost: a\r\n\r\n",
    "absolute": b"GET http://a/b HTTP/1.1\r\nhost: a\r\n\r\n",
    "1.0": b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n",
    "post": b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "empty post": b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
    "sizeless post": b"POST /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "chunked": b"PUT /p HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nhi\r\n0\r\n\r\n",
    "delete": b"DELETE /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "unusual": b"TRACE /p HTTP/1.1\r\nhost: a\r\n\r\n",
    "traced": b"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntraceparent: 00-x\r\n\r\n",
    "empty lines": b"\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
}
