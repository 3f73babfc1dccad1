"""Long collections are kept apart, short ones are not."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from plugbay.runtimes._collector import Collector


@pytest.mark.parametrize(("took", "waits"), [(0.002, False), (0.06, True)])
def test_only_what_is_felt_is_put_off(took: float, waits: bool) -> None:
    ticks = itertools.chain((0.0, took), itertools.repeat(took))
    collector = Collector(lambda: next(ticks))
    collector.collect()

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await collector.turn()

    if waits:
        with pytest.raises(TimeoutError):
            asyncio.run(main())
    else:
        asyncio.run(main())


def test_it_is_due_again_after_a_hundred_times_as_long() -> None:
    ticks = iter((0.0, 0.06, 6.07))
    collector = Collector(lambda: next(ticks))
    collector.collect()
    asyncio.run(collector.turn())
