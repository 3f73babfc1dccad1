"""Work with a deadline, as a task of its own that has ended when this returns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")


async def within(seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of `work`. Raises what it raises, and `TimeoutError` if it is late."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        late = not task.done()
        if late:
            task.cancel()
            await asyncio.wait((task,))
    if late and (task.cancelled() or task.exception() is not None):
        raise TimeoutError
    return task.result()
