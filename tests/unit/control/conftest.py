"""What the control plane's tests share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a loop of its own, under a deadline."""

    async def within(work: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(20):
            return await work

    return lambda work: asyncio.run(within(work))
