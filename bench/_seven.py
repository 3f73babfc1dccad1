"""The seven protection plugins in this process, with their events, on a clock that can be moved."""

from __future__ import annotations

import asyncio
import fnmatch
import inspect
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench._protected import PROTECTION, SEVEN, configuration
from plugbay.sdk import Event
from plugbay.sdk.testing import FakeHost, ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from plugbay.sdk import Request, Response

CLASSES: Final[dict[str, str]] = {
    "threat": "Threat",
    "antiabuse": "AntiAbuse",
    "geo": "Geo",
    "ratelimit-ml": "RateLimitMl",
    "mlabuse": "MlAbuse",
    "zerotrust": "ZeroTrust",
    "tarpit": "Tarpit",
}
READY: Final = 120.0


for _name in SEVEN:  # plugins are no packages of this project: they are found by their path
    sys.path.append(str(PROTECTION / _name / "src"))


class Bus:
    """Delivers what one plugin publishes to all that listen, in the order of publishing."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._waiting: list[Event] = []
        self.listeners: list[Any] = []
        self.told: list[Event] = []

    def of(self, source: str) -> Publisher:
        """Return what a plugin publishes by."""
        return Publisher(self, source)

    def put(self, topic: str, source: str, data: dict[str, object]) -> None:
        """Take an event; it is delivered by `deliver`."""
        self._waiting.append(Event(topic, source, self._clock.time(), data))

    def deliver(self) -> None:
        """Deliver what waits, and what comes of it."""
        while self._waiting:
            event = self._waiting.pop(0)
            self.told.append(event)
            for plugin in self.listeners:
                if any(fnmatch.fnmatchcase(event.topic, topic) for topic in plugin.topics):
                    plugin.on_event(event)


class Publisher:
    """`sdk.Events` of one plugin."""

    def __init__(self, bus: Bus, source: str) -> None:
        self._bus, self._source = bus, source

    def publish(self, topic: str, /, **data: object) -> None:
        """Publish."""
        self._bus.put(topic, self._source, data)


class Seven:
    """All seven, in the order of their chain."""

    def __init__(self, plugins: dict[str, Any], clock: ManualClock, bus: Bus) -> None:
        self.plugins, self.clock, self.bus = plugins, clock, bus

    async def ask(self, request: Request) -> tuple[str, Response] | None:
        """Return who answers a request instead of the upstream, and what; None for nobody."""
        for name, plugin in self.plugins.items():
            answer = plugin.on_request(request)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is not None:
                return name, answer
        return None

    def complete(self, request: Request, response: Response) -> None:
        """Tell the observers that a request is over, and everybody what was published."""
        self.plugins["ratelimit-ml"].on_complete(request, response, None)
        self.bus.deliver()


@asynccontextmanager
async def seven(*, begins: float) -> AsyncGenerator[Seven]:
    """Start all seven as `configuration` says, wait until they are ready, and stop them.

    Their clock stands still at `begins`, in Unix time, until it is moved.
    """
    with tempfile.TemporaryDirectory(prefix="plugbay-bench-") as folder:
        clock = ManualClock(monotonic=time.monotonic(), time=begins)
        bus, hosts, plugins = Bus(clock), list[FakeHost](), dict[str, Any]()
        for name, config in configuration().items():
            module: Any = import_module(f"plugbay_{name.replace('-', '_')}")
            host: Any = FakeHost(name, clock=clock, data_dir=Path(folder) / name)
            host.data_dir.mkdir()
            host.events = bus.of(name)
            plugins[name] = getattr(module, CLASSES[name])(
                msgspec.convert(config, module.Config), host
            )
            await plugins[name].start()
            hosts.append(host)
        bus.listeners = [plugin for plugin in plugins.values() if hasattr(plugin, "topics")]
        made = Seven(plugins, clock, bus)
        await _ready(made)
        try:
            yield made
        finally:
            for plugin, host in zip(plugins.values(), hosts, strict=True):
                await plugin.stop()
                await host.close()


async def _ready(made: Seven) -> None:
    ends = time.monotonic() + READY
    threat, ml = made.plugins["threat"], made.plugins["ratelimit-ml"]
    while not len(threat.keeper.index) or not ml.scorer.model:
        if time.monotonic() > ends:
            raise TimeoutError("the feeds or the model are not there")
        threat.keeper.look()
        await asyncio.sleep(0.05)
