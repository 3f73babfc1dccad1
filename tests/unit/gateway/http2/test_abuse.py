"""Clients that ask much for nothing, and garbage: bounded, counted, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from plugbay.gateway import ListenerLimits
from plugbay.gateway.http2._machine import TABLE
from plugbay.gateway.http2._vigil import IDLE_FRAMES, RESETS, Vigil
from unit.gateway.core.rig import RawUpstream, until
from unit.gateway.http2.client import ErrorCodes, Http2Client, abuses, connected, head, spoken
from unit.gateway.http2.test_bodies import large, only

CALM = ErrorCodes.ENHANCE_YOUR_CALM
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def settings(**values: int) -> bytes:
    return SettingsFrame(0, settings={int(k[1:]): v for k, v in values.items()}).serialize()


def idle(kind: str, client: Http2Client) -> bytes:
    """Return a frame that brings nothing."""
    if kind == "ping":
        return PingFrame(0, opaque_data=b"12345678").serialize()
    if kind == "settings":
        return settings()
    if kind == "priority":
        return PriorityFrame(1, depends_on=0, stream_weight=1, exclusive=False).serialize()
    if kind == "window":
        return WindowUpdateFrame(0, window_increment=1).serialize()
    if kind == "unknown":
        return struct.pack(">HBBBI", 0, 0, 0xEE, 0, 0)
    return DataFrame(1, data=b"").serialize()


@pytest.mark.parametrize("kind", ["ping", "settings", "priority", "window", "unknown", "empty"])
def test_a_flood_of_frames_that_bring_nothing(kind: str) -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client), connected(gate) as other:
            client.request(head(b"POST"), b"x", end=False)
            client.raw(idle(kind, client) * (IDLE_FRAMES * 2))
            await client.until(lambda: client.goaways)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"frames": 1}
            assert (await other.get()).status == 200

    asyncio.run(main())


def test_rapid_resets_end_the_connection_and_cost_no_request_each() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            for _ in range(RESETS * 2):
                id = client.machine.get_next_available_stream_id()
                client.machine.send_headers(id, head(), end_stream=True)
                client.machine.reset_stream(id, ErrorCodes.CANCEL)
            client.flush()
            await client.until(lambda: client.goaways)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"resets": 1}
            assert up.heads == []

    asyncio.run(main())


def test_resets_that_we_are_made_to_send_count_too() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            for _ in range(RESETS * 2):
                id = client.machine.get_next_available_stream_id()
                client.machine.send_headers(id, head(), end_stream=True)
                client.raw(client.machine.data_to_send())
                client.raw(WindowUpdateFrame(id, window_increment=2**31 - 1).serialize())
            await client.until(lambda: client.goaways)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"resets": 1}

    asyncio.run(main())


def test_a_head_without_an_end() -> None:
    async def main() -> None:
        limits = ListenerLimits(max_head=8192)
        async with spoken("127.0.0.1:9", limits=limits) as (gate, client):
            client.raw(HeadersFrame(1, data=b"\x00" * 100).serialize())
            client.raw(ContinuationFrame(1, data=b"\x00" * 16_000).serialize() * 20)
            await client.until(lambda: client.goaways)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"headers": 1}
        async with spoken("127.0.0.1:9") as (gate, client):
            client.raw(HeadersFrame(1, data=b"").serialize())
            client.raw(ContinuationFrame(1, data=b"").serialize() * 200)
            await client.until(lambda: client.goaways)
            assert abuses(gate) == {"protocol": 1}

    asyncio.run(main())


def test_a_head_that_unpacks_to_too_much() -> None:
    async def main() -> None:
        limits = ListenerLimits(max_head=8192, max_headers=10_000)
        up = RawUpstream()
        async with up.running(), spoken(up.address, limits=limits) as (gate, client):
            answer = await client.get(b"/", *[(b"x-a", b"y" * 500)] * 30)
            assert answer.status == 431
            bomb = client.request(head(b"GET", b"/", *[(b"x-a", b"y" * 500)] * 300))
            await client.answer(bomb)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"headers": 1}

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE, PREFACE + b"\0\0\7"])
def test_a_client_that_stops_in_the_midst(sent: bytes) -> None:
    async def main() -> None:
        limits = ListenerLimits(head_timeout=0.1, idle_timeout=0.2)
        async with spoken("127.0.0.1:9", limits=limits) as (gate, _):
            raw = await gate.connect()
            raw.send(sent)
            assert b"GOAWAY" not in await raw.ended()

    asyncio.run(main())


def test_more_streams_than_allowed() -> None:
    async def main() -> None:
        limits = ListenerLimits(max_streams=3)
        async with spoken("127.0.0.1:9", limits=limits) as (gate, client):
            ids = [client.machine.get_next_available_stream_id() + 2 * n for n in range(5)]
            for id in ids:
                block = client.machine.encoder.encode(head(b"POST"))
                frame = HeadersFrame(id, data=block, flags=["END_HEADERS"])
                client.raw(frame.serialize())
            await client.until(lambda: client.goaways)
            assert abuses(gate) == {"protocol": 1}

    asyncio.run(main())


def test_a_client_cannot_grow_our_table() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            client.machine.decoder.max_allowed_table_size = 2**32
            client.raw(settings(_1=2**32 - 1))
            assert (await client.get()).status == 200
            assert only(gate).machine.encoder.header_table_size == TABLE

    asyncio.run(main())


def test_windows_of_a_byte_do_not_pay() -> None:
    """The dribble of CVE-2019-9511: each byte of window is another frame for us to make."""

    async def main() -> None:
        async with RawUpstream(large).running() as up, spoken(up.address) as (gate, client):
            client.reading = False
            client.raw(settings(_4=0))
            client.machine.increment_flow_control_window(2**24)
            id = client.request(head(b"GET", b"/large"))
            await client.until(lambda: client.answers[id].fields)
            client.raw(WindowUpdateFrame(id, window_increment=1).serialize() * (IDLE_FRAMES * 2))
            await client.until(lambda: client.goaways)
            assert client.goaways[0][0] == CALM
            assert abuses(gate) == {"frames": 1}

    asyncio.run(main())


def test_a_credit_comes_back_with_time_and_use() -> None:
    vigil = Vigil(0.0)
    assert all(vigil.idle_frame(0.0) for _ in range(IDLE_FRAMES))
    assert not vigil.idle_frame(0.0)
    vigil.data()
    assert vigil.idle_frame(0.0)
    assert all(vigil.idle_frame(10.0) for _ in range(IDLE_FRAMES - 10))
    assert all(vigil.reset(10.0) for _ in range(RESETS))
    assert not vigil.reset(10.0)
    for _ in range(2):
        vigil.answered()
    assert vigil.reset(10.0)
    assert vigil.reset(20.0)


def garbage(source: random.Random) -> bytes:
    """Return frames of all kinds, some whole and some not, on a few streams."""
    parts = [PREFACE, settings()]
    for _ in range(source.randrange(1, 30)):
        body = source.randbytes(source.choice((0, 0, 1, 4, 5, 6, 8, 9, 40)))
        kind, flags = source.randrange(12), source.choice((0, 1, 4, 5, 8, 0x20, 0xFF))
        stream = source.choice((0, 1, 1, 3, 5, 7, 2, 2**31 - 1))
        if kind == 1 and source.random() < 0.8:
            body = bytes.fromhex("828684410161")  # GET / of the host `a`
        parts.append(struct.pack(">BHBBI", 0, len(body), kind, flags, stream) + body)
        if source.random() < 0.1:
            parts.append(source.randbytes(3))
    return b"".join(parts)


@pytest.mark.parametrize("seed", range(3))
def test_garbage_is_nobodys_trouble(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        source = random.Random(seed)  # noqa: S311 - it must be the same garbage again
        failures: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (gate, client):
            for _ in range(100):
                raw = await gate.connect()
                data = garbage(source)
                cut = source.randrange(len(data))
                raw.send(data[:cut])
                await asyncio.sleep(0)  # so that it is read in two parts
                raw.send(data[cut:])
                raw.writer.write_eof()
                await raw.ended()
            assert (await client.get()).status == 200
            await until(lambda: len(gate.plane.connections) == 1)
            await until(lambda: all(not c.in_flight() for c in gate.plane.connections))
        assert failures == []

    asyncio.run(main())
    assert not caplog.records
