"""What happens to a request that waits on the fast path."""

from __future__ import annotations

import asyncio

import pytest

from plugbay.gateway.downstream._downstream import Downstream
from plugbay.sdk import Order
from unit.gateway.core.both_paths import EARLY, settled
from unit.gateway.core.rig import GET, OK, RawUpstream, generation, member, rig, until


class Silent(RawUpstream):
    """Answers the first request and then none; `end` ends its connections."""

    def __init__(self) -> None:
        super().__init__(self._silent)
        self.end = asyncio.Event()

    async def _silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        writer.write(OK)
        await self.read(reader)
        await self.end.wait()


@pytest.mark.parametrize("how", ["drain", "client", "upstream", "response", "total", "retire"])
@pytest.mark.parametrize("hooked", ["", "early", "late", "both"])
def test_what_happens_to_a_waiting_request(how: str, hooked: str) -> None:
    async def main() -> None:
        up = Silent()
        members = [
            member(generation(phase, on_request=lambda request: None), order=order)
            for phase, order in (("early", EARLY), ("late", Order()))
            if hooked in (phase, "both")
        ]
        route = {"total_timeout": 0.5} if how == "total" else {}
        timeout = 0.5 if how == "response" else 60
        async with (
            up.running(),
            rig(up.address, members=members, route=route, response_timeout=timeout) as gate,
        ):
            client = await gate.connect()
            await client.get()
            client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi")
            (connection,) = gate.plane.connections
            assert isinstance(connection, Downstream)
            await until(lambda: connection.fast is not None or len(up.heads) > 1)
            if how in ("drain", "client", "upstream", "retire"):
                assert connection.fast is not None
                assert connection.exchange is None
            table = gate.plane.table
            assert table is not None
            if how == "drain":
                assert await gate.plane.drain(0.05) == 1
                assert (await client.response())[0] == 503
            elif how == "client":
                await client.close()
                async with asyncio.timeout(100):
                    await until(lambda: not gate.plane.connections)
            elif how == "upstream":
                up.end.set()
                assert (await client.response())[0] == 502
            elif how == "retire":
                assert [chain.cancel() for chain in table.chains] == [1, 0][: len(table.chains)]
                if hooked:
                    assert (await client.response())[0] == 503
                else:
                    await client.close()
                assert all(chain.tally.cancelled == 1 for chain in table.chains)
            else:
                assert (await client.response())[0] == 504
            up.end.set()
            await settled(gate)

    asyncio.run(main())


def test_a_stale_connection_costs_a_fresh_one() -> None:
    """The upstream closed its connection just when the request went out: GET goes again."""

    async def main() -> None:
        up = RawUpstream()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await up.read(reader)
            writer.write(OK)
            await up.read(reader)

        up._serve = serve
        async with up.running(), rig(up.address) as gate:
            client = await gate.connect()
            for _ in range(3):
                assert (await client.get())[0] == 200
            assert up.connections == 3
            await settled(gate)

    asyncio.run(main())


def test_a_watched_request_waits_on_the_fast_path() -> None:
    async def main() -> None:
        up = Silent()
        watch = member(generation("p", on_complete=lambda request, response, timing: None))
        async with up.running(), rig(up.address, members=[watch]) as gate:
            client = await gate.connect()
            await client.get()
            client.send(GET)
            (connection,) = gate.plane.connections
            assert isinstance(connection, Downstream)
            await until(lambda: connection.fast is not None)
            assert connection.exchange is None
            up.end.set()
            assert (await client.response())[0] == 200  # GET goes again, by a fresh connection
            await settled(gate)

    asyncio.run(main())
