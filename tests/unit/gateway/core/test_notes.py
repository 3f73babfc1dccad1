"""Calls and requests that are noted first: whoever reads the figures finds them entered."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from plugbay.sdk import Response
from unit.gateway.core.rig import GET, RawUpstream, generation, member, rig

if TYPE_CHECKING:
    from plugbay.sdk import Request


def test_a_failure_is_judged_by_all_that_went_well_before() -> None:
    """The breaker opens if half of all calls fail, and those that went well are noted only."""

    def on_request(request: Request) -> None:
        if request.path == "/bad":
            raise LookupError("on purpose")

    async def main() -> None:
        up, made = RawUpstream(), generation("p", on_request=on_request)
        async with up.running(), rig(up.address, members=[member(made, closed=False)]) as gate:
            client = await gate.connect()
            for path in ("/", *["/good"] * 9, *["/bad"] * 9):
                assert (await client.get(path))[0] == 200
            assert made.breaker is not None
            assert made.breaker.closed
            await client.get("/bad")
            await client.get("/bad")
            assert not made.breaker.closed
            assert (made.vitals.calls, made.vitals.failures) == (20, 10)

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/", "/answered", "/bad", "/wrong"])
def test_every_call_is_counted_once(path: str) -> None:
    def second(request: Request) -> object:
        if request.path == "/bad":
            raise LookupError("on purpose")
        return {"/answered": Response.text("mine"), "/wrong": 7}.get(request.path)

    async def main() -> None:
        up = RawUpstream()
        plugins = [
            generation("a", on_request=lambda request: None),
            generation("b", on_request=second, on_response=lambda request, response: None),
            generation("c", on_response=lambda request, response: None),
        ]
        chained = [member(made, closed=False) for made in plugins]
        async with up.running(), rig(up.address, members=chained) as gate:
            client = await gate.connect()
            for _ in range(5):
                await client.get(path)
            assert gate.plane.table is not None
            (chain,) = gate.plane.table.chains
            assert chain.on_request.__qualname__ == "on_request(a, b)"
            chain.settle()
            figures = {link.id: link.series for link in chain.links}
            for series in figures.values():
                series.settle()
            went_on = path != "/answered"
            odd = 5 * (path in ("/bad", "/wrong"))
            assert figures["a"].passed == figures["a"].duration.count == 5
            assert figures["c"].passed == 5 * went_on
            assert figures["b"].passed == 5 * went_on - odd
            assert figures["b"].answered == 5 * (not went_on)
            assert figures["b"].failed == odd
            assert plugins[0].vitals.calls == 5

    asyncio.run(main())


def test_an_idle_connection_keeps_nothing_of_an_old_table() -> None:
    async def main() -> None:
        up, made = RawUpstream(), generation("p", on_request=lambda request: None)
        async with up.running(), rig(up.address, members=[member(made)]) as gate:
            client = await gate.connect()
            for _ in range(3):
                client.send(GET)
                await client.response()
            assert gate.plane.table is not None
            (chain,) = gate.plane.table.chains
            gone = weakref.ref(chain)
            del chain
            gate.plane.install(gate.table([], [], []))
            await asyncio.sleep(0)
            gc.collect()
            assert gone() is None
            assert not made.vitals.behind

    asyncio.run(main())
