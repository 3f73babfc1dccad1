"""State of plugins that run without a gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.app.local._kv import LocalKeyValue, LocalState
from plugbay.sdk.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def test_of_several_that_swap_one_wins(tmp_path: Path) -> None:
    clock = ManualClock()
    state = LocalState(tmp_path, clock)

    async def story() -> None:
        kv = LocalKeyValue(state, "p")
        assert not await kv.swap("a", b"x", b"y")
        took = await asyncio.gather(*(kv.swap("a", None, b"%d" % n, ttl=10.0) for n in range(4)))
        assert sorted(took) == [False, False, False, True]
        there = await kv.get("a")
        assert await kv.swap("a", there, b"z", ttl=10.0)
        assert not await kv.swap("a", there, b"late")
        clock.advance(10.0)
        assert await kv.swap("a", None, b"new")  # the other one has expired
        assert await kv.get("a") == b"new"
        assert await LocalKeyValue(state, "q").get("a") is None
        with pytest.raises(ValueError, match="64 KiB"):
            await kv.swap("a", b"new", b"x" * 65_537)

    try:
        asyncio.run(story())
    finally:
        state.close()
