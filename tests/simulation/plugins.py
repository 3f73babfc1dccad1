"""Plugins that fail by plan: when loaded, started, asked, handed over; and later, on requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.control import Facts
from plugbay.kernel import Hook, Invalid, LoadFailed, NotFound, Unavailable
from plugbay.sdk import Manifest

if TYPE_CHECKING:
    from typing import Any

    from tests.simulation.world import World

    from plugbay.control import PluginSpec
    from plugbay.kernel import LoadRequest

PLUGINS = ("auth", "base", "cache")
GOOD, BAD_HOOK, BAD_START = ("1.0", "2.0", "3.0"), "6.6", "6.7"
VERSIONS = (*GOOD, BAD_HOOK, BAD_START)


def manifest(id: str, version: str) -> Manifest:
    """`auth` needs `base`; `cache` is exchanged exclusively."""
    return Manifest(
        id=id,
        version=version,
        api=1,
        runtime="python",
        entry=f"{id}:Plugin",
        requires={"base": ">=1"} if id == "auth" else {},
        reload="exclusive" if id == "cache" else "overlap",
        provides=("request-filter",),
    )


FACTS = {
    f"{id}-{version}": Facts(
        manifest=manifest(id, version), payload=f"/{id}/{version}", digest=f"{id}-{version}"
    )
    for id in PLUGINS
    for version in VERSIONS
}


class Catalog:
    """Implements `Catalog`: every version of every plugin; one in a process of its own needs an
    environment first, which is there for good once it was made."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def facts(self, digest: str) -> Facts:
        if digest not in FACTS:
            raise NotFound(f"there is no artifact {digest}")
        return FACTS[digest]

    async def check(self, spec: PluginSpec) -> str:
        if "typo" in spec.config:
            raise Invalid("typo is not a setting")
        lacks = spec.runtime == "process" and spec.digest not in self._world.disk.environments
        return f"the environment of {spec.digest}" if lacks else ""

    async def make(self, spec: PluginSpec) -> None:
        await asyncio.sleep(self._world.latency() * 50)
        if self._world.strike("build-fails"):
            raise Unavailable("the index does not answer")
        self._world.disk.environments.add(spec.digest)


class Instance:
    """Implements `Instance`, and keeps count."""

    def __init__(self, world: World, worker: Any, request: LoadRequest, runtime: str) -> None:
        self.world, self.worker, self.runtime = world, worker, runtime
        self.plugin, self.number = request.manifest.id, request.generation
        self.version = request.manifest.version
        self.starts = self.stops = 0
        self.hooks = {"on_request": Hook(self.on_request, False)}

    def __repr__(self) -> str:
        return f"{self.worker.name}/{self.plugin}#{self.number}"

    @property
    def running(self) -> bool:
        return self.starts == 1 and self.stops == 0

    async def start(self) -> None:
        self.starts += 1
        await asyncio.sleep(self.world.latency())
        if self.version == BAD_START or self.world.strike("start-fails"):
            raise RuntimeError("cannot start")

    async def stop(self) -> None:
        self.stops += 1
        self.world.check(self.stops == 1, f"{self!r} was stopped {self.stops} times")
        if self.world.strike("stop-fails"):
            raise RuntimeError("cannot stop")

    async def health(self) -> None:
        if self.world.strike("unhealthy"):
            raise RuntimeError("not well")

    async def snapshot(self) -> bytes | None:
        return b"state" if self.plugin == "cache" else None

    async def restore(self, state: bytes) -> None:
        if self.world.strike("restore-fails"):
            raise RuntimeError("what is this")

    def on_request(self) -> None:
        if self.version == BAD_HOOK:
            raise RuntimeError("broken")


class Runtime:
    """Implements `Runtime` in one worker, under one name."""

    def __init__(self, world: World, worker: Any, name: str) -> None:
        self.world, self.worker, self.name = world, worker, name
        self._numbers: set[tuple[str, int]] = set()

    async def load(self, request: LoadRequest) -> Instance:
        id = request.manifest.id
        await asyncio.sleep(self.world.latency())
        if self.world.strike("load-fails"):
            raise LoadFailed(id, "cannot be imported", generation=request.generation)
        made = self.name != "process" or request.digest in self.world.disk.environments
        self.world.check(made, f"{request.digest} was loaded without its environment")
        instance = Instance(self.world, self.worker, request, self.name)
        self.worker.instances.append(instance)
        return instance


class Lent:
    """Implements `Lent`; these plugins use nothing of their host."""

    host: Any = None
    tasks: tuple[str, ...] = ()

    async def close(self) -> None:
        return None


class Hosts:
    """Implements `Hosts`."""

    def lend(self, manifest: Manifest, generation: int) -> Lent:
        return Lent()
