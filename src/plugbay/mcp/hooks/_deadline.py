"""A hook's coroutine under a deadline, which costs nothing while the hook does not wait."""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Generator


async def within(seconds: float, work: Awaitable[Any]) -> Any:
    """Return what `work` does. Raises `TimeoutError`, and what `work` raises.

    Setting a deadline costs ten times as much as calling a hook, so it is set when the coroutine
    first waits for something.
    """
    if not isinstance(work, types.CoroutineType):
        async with asyncio.timeout(seconds):
            return await work
    hook = cast("Coroutine[Any, Any, Any]", work)
    try:
        waits_for = hook.send(None)
    except StopIteration as done:
        return done.value
    async with asyncio.timeout(seconds):
        return await _go_on(hook, waits_for)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Continue a coroutine that was begun by hand."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:  # noqa: BLE001 -- it is for the coroutine
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
    except StopIteration as done:
        return done.value
