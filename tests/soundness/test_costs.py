"""What a hostile or unlucky message may cost: processor time, bounded far above the honest cost.

The figure is the gateway's own processor time, not the clock on the wall, so that a busy machine
does not matter; the bounds catch what is quadratic, not what is slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.soundness.client import chunked, connected, get, request

if TYPE_CHECKING:
    from tests.soundness.gateway import Gateway
    from tests.soundness.upstream import Upstream

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

MIB = 1 << 20
CRLFS = b"\r\n" * (MIB // 2)
LAST_CHUNKS = b"\r\n0\r\n\r\n" * (MIB // 7)
CODED = b"transfer-encoding: chunked"
SECONDS = 20.0


@pytest.mark.parametrize(
    "data",
    [
        request(b"POST", b"/cost", CODED, body=chunked(CRLFS)),
        request(b"POST", b"/cost", CODED, body=chunked(LAST_CHUNKS)),
        request(b"POST", b"/cost", CODED, body=b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"),
        request(b"POST", b"/cost", b"content-length: %d" % MIB, body=CRLFS),
        b"\r\n" * 500_000 + get(b"/cost"),
        b"\n" * 500_000 + get(b"/cost"),
        get(b"/cost", *[b"x:"] * 95),
        get(b"/" + b"a/../" * 1600),
        get(b"/cost", b"connection: " + b"a," * 30_000),
        get(b"/cost", b"forwarded: " + b'for="' * 12_000),
        get(b"/cost", b"x-forwarded-for: " + b"1.1.1.1," * 7_000),
    ],
    ids=[
        "blank lines",
        "last chunks in a chunk",
        "tiny chunks",
        "blank lines of known length",
        "empty lines",
        "line feeds",
        "empty fields",
        "dot segments",
        "nominations",
        "an open quote",
        "addresses",
    ],
)
def test_a_request_costs_what_it_weighs(gateway: Gateway, upstream: Upstream, data: bytes) -> None:
    before = gateway.processor_time()
    with connected(gateway.port) as client:
        client.sock.settimeout(60)
        client.send(data)
        client.answer()
    assert gateway.processor_time() - before < SECONDS


@pytest.mark.parametrize("body", [CRLFS, LAST_CHUNKS], ids=["blank lines", "last chunks"])
def test_a_response_costs_what_it_weighs(gateway: Gateway, upstream: Upstream, body: bytes) -> None:
    upstream.reply(b"/cost", b"HTTP/1.1 200 OK\r\n" + CODED + b"\r\n\r\n" + chunked(body))
    before = gateway.processor_time()
    with connected(gateway.port) as client:
        client.sock.settimeout(60)
        client.send(get(b"/cost"))
        found = client.answer()
        assert found is not None
        assert found.body == body
    assert gateway.processor_time() - before < SECONDS
