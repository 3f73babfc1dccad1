"""Heads whose bodies come right behind them, but in a write of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.gateway.downstream import _downstream
from plugbay.gateway.downstream._downstream import Downstream
from unit.gateway.core.both_paths import settled
from unit.gateway.core.rig import OK, RawUpstream, rig, until

if TYPE_CHECKING:
    from unit.gateway.core.rig import Rig

HEAD = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nx-a: 1\r\n\r\n"
OTHER = b"POST /p HTTP/1.1\r\nHost: a\r\nx-a: 2\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture
def patient(monkeypatch):
    """A body that comes within half a minute comes at once."""
    monkeypatch.setattr(_downstream, "MOMENT", 30.0)


def connection(gate: Rig) -> Downstream:
    (found,) = gate.plane.connections
    assert isinstance(found, Downstream)
    return found


def test_it_is_a_usual_request(patient):
    async def main() -> None:
        fast: list[bool] = []
        up = RawUpstream()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await up.read(reader)
                fast.append(connection(gate).fast is not None)
                writer.write(OK)

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            for head, body in ((HEAD, b"hello"), (HEAD, b"world"), (OTHER, b"hello!")):
                before = len(up.heads)
                client.send(head)
                await until(lambda: connection(gate)._begun)
                assert len(up.heads) == before
                client.send(body)
                assert (await client.response())[0] == 200
                assert up.bodies[-1] == body
            await settled(gate)
        assert fast == [False, True, True, True]

    asyncio.run(main())


def test_more_than_the_body_comes_with_it(patient):
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            client.send(HEAD)
            await until(lambda: connection(gate)._begun)
            client.send(b"hel")
            client.send(b"lo" + HEAD + b"again")
            for body in (b"hello", b"again"):
                assert (await client.response())[0] == 200
                assert body in up.bodies
            await settled(gate)

    asyncio.run(main())


def test_a_body_that_is_late():
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            client.send(HEAD)
            await until(lambda: len(up.heads) == 2)  # the head has gone on by itself
            client.send(b"hello")
            assert (await client.response())[0] == 200
            assert up.bodies[-1] == b"hello"
            await settled(gate)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD.replace(b"x-a: 1", b"content-length: 6"), 400),
        (HEAD.replace(b"x-a: 1", b"x a: 1"), 400),
        (HEAD.replace(b"x-a: 1", b"expect: 100-continue"), 100),
        (HEAD.replace(b"Length: 5", b"Length: 99999999"), 413),
    ],
)
def test_what_needs_no_body_is_answered_without_it(patient, head, status):
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address, route={"max_body": 1000}) as gate:
            client = await gate.connect()
            await client.get()
            client.send(head)
            async with asyncio.timeout(100):
                line = await client.reader.readline()
            assert line.startswith(b"HTTP/1.1 %d " % status)

    asyncio.run(main())


def test_a_drain_waits_for_the_body(patient):
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            client.send(HEAD)
            await until(lambda: connection(gate)._begun)
            draining = asyncio.create_task(gate.plane.drain(30))
            await until(lambda: len(up.heads) == 2)
            client.send(b"hello")
            assert (await client.response())[0] == 200
            assert await draining == 0

    asyncio.run(main())


def test_a_client_that_goes_before_its_body(patient):
    async def main() -> None:
        up = RawUpstream()
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            await client.get()
            client.send(HEAD)
            await until(lambda: connection(gate)._begun)
            await client.close()
            await until(lambda: not gate.plane.connections)
            await settled(gate)
            assert len(up.heads) == 1

    asyncio.run(main())
