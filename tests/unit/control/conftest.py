"""What the control plane's tests share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from unit.control.story import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a loop of its own, under a deadline."""

    async def within(work: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(100):
            return await work

    return lambda work: asyncio.run(within(work))


@pytest.fixture
def quiet() -> Iterator[Quiet]:
    """A world for a story; nothing may be amiss in it afterwards."""
    quiet = Quiet()
    yield quiet
    assert not quiet.world.violations
    assert not quiet.world.loop.failures
    quiet.world.loop.close()
