"""Plugins that look at every message, in a chain of their own: what the micro benches measure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from plugbay.app._clock import SystemClock
from plugbay.kernel import CircuitBreaker, Generation, Hook
from plugbay.mcp import Chain, Member
from plugbay.sdk import API, Manifest, Mcp, Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.kernel import Instance
    from plugbay.mcp import Meter
    from plugbay.sdk import Message


class Loaded:
    """A `kernel.Instance` with one hook that looks at a message."""

    def __init__(self) -> None:
        self.hooks = {"on_message": Hook(_look, coroutine=False)}


def _look(message: Message) -> None:
    message.method  # noqa: B018 -- this is the look


async def _never(_: int) -> Instance:
    raise RuntimeError("it is built by hand")


def built(id: str, instance: object) -> Generation:
    manifest = Manifest(id=id, version="1", api=API, runtime="python", entry="", mcp=Mcp())
    made = Generation(id, 1, "", 1, manifest, _never)
    made.instance = cast("Instance", instance)
    return made


def looking(plugins: int, meter: Meter, now: Callable[[], float] = time.perf_counter) -> Chain:
    """Return a chain of so many plugins, with a circuit breaker each, as a worker has them."""
    members: list[Member] = []
    for number in range(plugins):
        generation = built(f"look{number}", Loaded())
        generation.breaker = CircuitBreaker(SystemClock())
        members.append(
            Member(id=generation.plugin, generation=generation, order=Order(), closed=True)
        )
    return Chain(members, meter, now)
