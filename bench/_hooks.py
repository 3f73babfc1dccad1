"""The plugins of the benchmarks, as members of a chain: what the peers' Lua does, and nothing."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from plugbay.app._clock import SystemClock
from plugbay.gateway import Member
from plugbay.kernel import CircuitBreaker, Generation, Hook, StatelessInstance
from plugbay.sdk import Manifest, Order, Request, RequestFilter, Response, ResponseFilter

if TYPE_CHECKING:
    from plugbay.kernel import Instance
    from plugbay.sdk import Phase


class ApiKey(RequestFilter):
    """The peers' first hook: 401 without the right key."""

    def on_request(self, request: Request) -> Response | None:
        """Look at one header field."""
        return None if request.headers.get("x-api-key") == "k1" else Response(401)


class Mark(RequestFilter, ResponseFilter):
    """Their second: a header field to the upstream and one to the client."""

    def on_request(self, request: Request) -> None:
        """Add a field."""
        request.headers.add("x-plugbay", "1")

    def on_response(self, request: Request, response: Response) -> None:
        """Add a field."""
        response.headers.add("x-gw", "plugbay")


class Count(RequestFilter):
    """Their third: a counter."""

    count = 0

    def on_request(self, request: Request) -> None:
        """Count."""
        self.count += 1


class Nothing(RequestFilter):
    """A hook that does nothing."""

    def on_request(self, request: Request) -> None:
        """Do nothing."""


class NothingTwice(Nothing, ResponseFilter):
    """Two hooks that do nothing."""

    def on_response(self, request: Request, response: Response) -> None:
        """Do nothing."""


class Loaded(StatelessInstance):
    """An instance around an object with hooks."""

    def __init__(self, plugin: object) -> None:
        names = ("on_request", "on_response", "on_complete")
        found = {name: getattr(plugin, name) for name in names if hasattr(plugin, name)}
        self.hooks = {
            name: Hook(call, inspect.iscoroutinefunction(call)) for name, call in found.items()
        }


def members(*plugins: object, phase: Phase = "post-routing") -> list[Member]:
    """Return one member for each plugin, with a circuit breaker each, as a worker has them."""
    return [_member(f"bench-{number}", plugin, phase) for number, plugin in enumerate(plugins)]


def _member(id: str, plugin: object, phase: Phase) -> Member:
    order = Order(phase=phase)
    entry = f"{type(plugin).__module__}:{type(plugin).__name__}"
    manifest = Manifest(id=id, version="1.0", api=1, runtime="python", entry=entry, order=order)
    loaded = Loaded(plugin)

    async def load(number: int) -> Instance:
        return loaded

    generation = Generation(
        plugin=id, number=1, digest="0" * 64, config_version=1, manifest=manifest, load=load
    )
    generation.instance = loaded
    generation.breaker = CircuitBreaker(SystemClock())
    return Member(id=id, generation=generation, order=order, closed=True)
