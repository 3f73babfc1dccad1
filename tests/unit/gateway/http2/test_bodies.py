"""Bodies over HTTP/2: windows both ways, so that nobody waits for another stream's peer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugbay.gateway import ListenerLimits
from plugbay.gateway.http2._connection import Http2Connection
from unit.gateway.core.rig import OK, RawUpstream, until
from unit.gateway.http2.client import ErrorCodes, abuses, connected, head, spoken

SIZE = 3_000_000


async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer `/large` with a large body, anything else with a small one."""
    while True:
        line = await reader.readuntil(b"\r\n\r\n")
        if line.startswith(b"GET /large"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
            writer.write(b"d" * SIZE)
        else:
            writer.write(OK)
        await writer.drain()


def only(gate: Any) -> Http2Connection:
    (connection,) = gate.plane.connections
    assert isinstance(connection, Http2Connection)
    return connection


@pytest.mark.parametrize("sized", [True, False])
def test_large_uploads_side_by_side(sized: bool) -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            fields = [(b"content-length", b"%d" % SIZE)] if sized else []
            ids = [client.request(head(b"POST", b"/", *fields), end=False) for _ in range(3)]
            await asyncio.gather(*(client.upload(id, SIZE) for id in ids))
            for id in ids:
                assert (await client.answer(id)).status == 200
            assert [len(body) for body in up.bodies] == [SIZE] * 3
            coded = b"content-length: 3000000" if sized else b"transfer-encoding: chunked"
            assert all(coded in found for found in up.heads)

    asyncio.run(main())


def test_a_stream_that_is_not_read_waits_and_others_do_not() -> None:
    async def main() -> None:
        async with (
            RawUpstream(large).running() as up,
            spoken(up.address) as (gate, client),
        ):
            client.reading = False
            slow = client.request(head(b"GET", b"/large"))
            await client.until(lambda: len(client.answers[slow].body) == 65_535)
            # The windows of stream and connection are used up: open that of the connection.
            client.machine.increment_flow_control_window(10_000_000)
            client.flush()
            for _ in range(5):
                assert (await client.get()).body == b"ok"
            assert len(client.answers[slow].body) == 65_535
            stream = only(gate).streams[slow]
            assert not stream.writable
            assert stream.pending < 600_000
            client.reading = True
            client.machine.increment_flow_control_window(SIZE, slow)
            client.flush()
            answer = await client.answer(slow)
            assert (answer.ended, answer.body) == (True, b"d" * SIZE)
            await until(lambda: not only(gate).streams)

    asyncio.run(main())


def test_a_response_that_is_not_taken_is_ended() -> None:
    async def main() -> None:
        limits = ListenerLimits(body_timeout=0.1)
        async with (
            RawUpstream(large).running() as up,
            spoken(up.address, limits=limits) as (gate, client),
        ):
            client.reading = False
            answer = await client.answer(client.request(head(b"GET", b"/large")))
            assert answer.reset == ErrorCodes.CANCEL
            assert abuses(gate) == {"stalled": 1}
            client.machine.increment_flow_control_window(1_000_000)
            client.reading = True
            assert (await client.get()).status == 200

    asyncio.run(main())


def test_a_client_that_does_not_read_at_all_is_ended() -> None:
    async def main() -> None:
        limits = ListenerLimits(body_timeout=0.2)
        async with (
            RawUpstream(large).running() as up,
            spoken(up.address, limits=limits) as (gate, client),
        ):
            client.machine.increment_flow_control_window(2**30)
            client.writer.transport.pause_reading()
            for _ in range(3):
                id = client.request(head(b"GET", b"/large"))
                client.machine.increment_flow_control_window(2**30, id)
            client.flush()
            await until(lambda: not gate.plane.connections)

    asyncio.run(main())


def test_an_upload_that_nobody_takes_fills_its_window_and_no_other() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found = await reader.readuntil(b"\r\n\r\n")
            if found.startswith(b"POST"):
                await go.wait()
                await reader.readexactly(SIZE * 3)
            writer.write(OK)
            await reader.read()

        async with RawUpstream(slow).running() as up, spoken(up.address) as (gate, client):
            fields = (b"content-length", b"%d" % (SIZE * 3))
            id = client.request(head(b"POST", b"/", fields), end=False)
            upload = asyncio.create_task(client.upload(id, SIZE * 3))
            await client.until(lambda: client.machine.remote_settings.initial_window_size > 65_535)
            await until(lambda: id in only(gate).streams and only(gate).streams[id]._paused)
            assert (await client.get()).status == 200
            assert not upload.done()
            go.set()
            await upload
            assert (await client.answer(id)).status == 200

    asyncio.run(main())


def test_an_early_response_ends_an_upload_without_an_error() -> None:
    async def main() -> None:
        async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
            await reader.read()

        async with RawUpstream(early).running() as up, spoken(up.address) as (_, client):
            fields = (b"content-length", b"%d" % SIZE)
            id = client.request(head(b"POST", b"/", fields), b"x" * 1000, end=False)
            answer = client.answers[id]
            await client.until(lambda: answer.reset is not None)
            assert (answer.status, answer.body, answer.ended) == (413, b"no", True)
            assert answer.reset == ErrorCodes.NO_ERROR
            assert (await client.get()).status == 413

    asyncio.run(main())


def test_bodies_have_a_limit_and_a_deadline() -> None:
    async def main() -> None:
        limits = ListenerLimits(max_body=1000, body_timeout=0.1)
        async with RawUpstream().running() as up, spoken(up.address, limits=limits) as (_, client):
            fields = (b"content-length", b"1001")
            told = await client.answer(client.request(head(b"POST", b"/", fields), end=False))
            assert told.status == 413
            found = await client.answer(client.request(head(b"POST"), b"x" * 1001, end=False))
            assert found.status == 413
            late = await client.answer(client.request(head(b"POST"), b"x", end=False))
            assert late.status == 408

    asyncio.run(main())


def test_trailers_of_a_request_go_on() -> None:
    async def main() -> None:
        raw: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            raw.append(await reader.readuntil(b"0\r\n") + await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)

        async with RawUpstream(serve).running() as up, spoken(up.address) as (_, client):
            id = client.request(head(b"POST"), b"abc", end=False)
            trailers = [(b"x-sum", b"7"), (b"via", b"me")]
            client.machine.send_headers(id, trailers, end_stream=True)
            client.flush()
            assert (await client.answer(id)).status == 200
            assert raw == [b"3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"]

    asyncio.run(main())


def test_malformed_trailers_end_their_stream() -> None:
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), spoken(up.address) as (_, client):
            id = client.request(head(b"POST"), b"abc", end=False)
            client.machine.send_headers(id, [(b"x", b"1\r\ny: 2")], end_stream=True)
            client.flush()
            assert (await client.answer(id)).reset == ErrorCodes.PROTOCOL_ERROR
            assert (await client.get()).status == 200
            assert len(up.bodies) == 1

    asyncio.run(main())


def test_a_client_that_reads_again_gets_all() -> None:
    async def main() -> None:
        async with RawUpstream(large).running() as up, spoken(up.address) as (gate, client):
            assert (await client.get()).status == 200
            client.machine.increment_flow_control_window(2**30)
            client.writer.transport.pause_reading()
            ids = [client.request(head(b"GET", b"/large")) for _ in range(5)]
            for id in ids:
                client.machine.increment_flow_control_window(2**30, id)
            client.flush()
            await until(lambda: not only(gate)._writable)
            client.reading = False  # its windows are open already
            client.writer.transport.resume_reading()
            for id in ids:
                answer = await client.answer(id)
                assert (answer.ended, len(answer.body)) == (True, SIZE)
            assert (await client.get()).status == 200

    asyncio.run(main())


def test_connections_of_a_listener_do_not_share_windows() -> None:
    async def main() -> None:
        async with RawUpstream(large).running() as up, spoken(up.address) as (gate, client):
            client.reading = False
            slow = client.request(head(b"GET", b"/large"))
            await client.until(lambda: len(client.answers[slow].body) == 65_535)
            async with connected(gate) as other:
                answer = await other.get(b"/large")
                assert len(answer.body) == SIZE

    asyncio.run(main())
