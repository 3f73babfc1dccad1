"""Swaps, and the end of the gateway, under streams of HTTP/2: nothing is dropped."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING

import pytest
from bench._gateway import Gateway, wait_for
from bench._live import metrics, total
from hyperframe.frame import DataFrame
from tests.live._plugins import push
from tests.live.test_tls import make_certificate

from unit.gateway.http2.client import Answer, Http2Client, head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

STAMP = """
from plugbay.sdk import Plugin, Request, Response, ResponseFilter

class Main(Plugin[None], ResponseFilter):
    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""
LINES = 40
STREAM = b"/stream?chunks=%d&delay=0.05" % LINES


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def gateway(chain: Path) -> Iterator[Gateway]:
    certificate, key = make_certificate(chain, "one.test")
    listener = (
        f'[[listeners]]\naddress = "127.0.0.1:0"\n'
        f'tls = {{ certificate = "{certificate}", key = "{key}" }}\n'
    )
    with Gateway(settings=listener) as gateway:
        for version in ("1.0.0", "2.0.0"):
            push(gateway, "stamp", version, STAMP, 'provides = ["response-filter"]\n')
        gateway.put("stamp", version="1.0.0", watch=0.0)
        yield gateway


async def connect(gateway: Gateway, chain: Path) -> Http2Client:
    trusting = ssl.create_default_context(cafile=chain / "chain.pem")
    trusting.set_alpn_protocols(["h2"])
    host, _, port = gateway.facts["listeners"][0].rpartition(":")
    reader, writer = await asyncio.open_connection(
        host, int(port), ssl=trusting, server_hostname="one.test"
    )
    client = Http2Client(reader, writer)
    client.start()
    return client


def whole(answer: Answer) -> bool:
    """Whether a stream of lines came to its end."""
    return answer.ended and answer.body.count(b"\n") == LINES


def test_swaps_under_streams_drop_nothing(gateway: Gateway, chain: Path) -> None:
    async def main() -> None:
        client = await connect(gateway, chain)
        streams = [client.request(head(b"GET", STREAM)) for _ in range(10)]
        await client.until(lambda: all(client.answers[id].fields for id in streams))
        stop = asyncio.Event()
        seen: list[bytes] = []

        async def ask() -> None:
            while not stop.is_set():
                answer = await client.get(b"/json")
                assert (answer.status, answer.ended) == (200, True)
                seen.append(answer.fields[b"x-stamp"])

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            operation = await asyncio.to_thread(gateway.put, "stamp", version=version, watch=0.0)
            assert operation["state"] in ("succeeded", "draining")
            assert (await client.get(b"/json")).fields[b"x-stamp"] == version.encode()
        stop.set()
        await asyncio.gather(*asking)
        assert set(seen) == {b"1.0.0", b"2.0.0"}
        for id in streams:
            await client.until(lambda id=id: client.answers[id].ended)
            assert whole(client.answers[id])
            assert client.answers[id].fields[b"x-stamp"] == b"1.0.0"
        assert not client.goaways
        await client.close()

    asyncio.run(main())


def test_the_end_of_the_gateway_waits_for_streams(gateway: Gateway, chain: Path) -> None:
    def inside() -> bool:
        return total(metrics(gateway), "plugbay_http_requests_in_flight") == 5

    async def main() -> None:
        client = await connect(gateway, chain)
        streams = [client.request(head(b"POST", b"/upload"), end=False) for _ in range(5)]
        await asyncio.to_thread(wait_for, "all are inside", inside)
        gateway.process.terminate()
        await client.until(lambda: len(client.goaways) == 2)
        assert [code for code, _ in client.goaways] == [0, 0]
        assert client.goaways[1][1] == streams[-1]
        for id in streams:
            client.raw(DataFrame(id, data=b"all of it", flags=["END_STREAM"]).serialize())
        await client.until(lambda: client.closed)
        answers = [client.answers[id] for id in streams]
        assert [json.loads(answer.body)["bytes"] for answer in answers] == [9] * 5
        assert all(answer.ended for answer in answers)
        await client.close()

    asyncio.run(main())
