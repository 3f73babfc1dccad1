"""The slots of a process without a gateway: plugins come, are swapped, and go."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.app.local._plugins import make_ready, stamp
from plugbay.app.mcp._policy import fails_closed
from plugbay.kernel import (
    CircuitBreaker,
    Generation,
    Invalid,
    LoadFailed,
    LoadRequest,
    PlugbayError,
    Slot,
    SlotRegistry,
)
from plugbay.mcp import Chain, Current, Member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.app._host import PluginHost
    from plugbay.app.local._host import LocalHosts
    from plugbay.app.local._plugins import LocalPlugin, Ready
    from plugbay.kernel import Clock, Hook, Instance, Runtime
    from plugbay.sdk import Manifest

_log = logging.getLogger("plugbay.monitor")
DRAIN = 60.0
"""Seconds that calls in flight keep the generation that they began with."""
LOOK = 0.5
"""Seconds between looks at the plugins' files."""


class LocalSlots:
    """Loads plugins through the kernel's slots, and keeps the chain that messages pass."""

    def __init__(self, runtimes: Mapping[str, Runtime], hosts: LocalHosts, clock: Clock) -> None:
        self._runtimes, self._hosts, self._clock = runtimes, hosts, clock
        self.slots = SlotRegistry(self._slot)
        self.current = Current(Chain((), hosts.registry, time.perf_counter))
        self._sources: dict[str, LocalPlugin] = {}
        self._stamps: dict[str, object] = {}
        self._drains: set[asyncio.Task[object]] = set()
        self._scratch = tempfile.TemporaryDirectory(prefix="plugbay-plugins-")

    async def load(self, plugins: Sequence[LocalPlugin]) -> None:
        """Load and start them all. Raises `PlugbayError` for the first that cannot be: a plugin
        that was asked for is never left out."""
        for plugin in plugins:
            ready = make_ready(plugin.path, Path(self._scratch.name))
            if ready.manifest.id in self._sources:
                raise Invalid(f"the plugin {ready.manifest.id} was named twice")
            await self._change(plugin, ready)

    async def attach(self, manifest: Manifest, instance: Instance) -> None:
        """Put a part of the host itself among the plugins, which is never swapped."""

        async def load(_: int) -> Instance:
            return instance

        slot = self.slots.ensure(manifest.id)
        fresh = Generation(
            plugin=manifest.id,
            number=slot.take_number(),
            digest="",
            config_version=1,
            manifest=manifest,
            load=load,
        )
        await self._install(slot, fresh)

    async def reload(self, id: str) -> None:
        """Swap one plugin for what its files are now. Raises `PlugbayError`; the old one stays."""
        plugin = self._sources[id]
        await self._change(plugin, make_ready(plugin.path, Path(self._scratch.name)))

    async def reload_all(self) -> None:
        """Swap every plugin; those that cannot be stay as they are, and the log says why."""
        for id in tuple(self._sources):
            await self._try(id)

    async def follow(self) -> None:
        """Swap plugins whose files have changed, again and again."""
        while True:
            await asyncio.sleep(LOOK)
            for id, plugin in tuple(self._sources.items()):
                if stamp(plugin.path) != self._stamps[id]:
                    await self._try(id)

    async def close(self) -> None:
        """Stop every plugin."""
        self.current.install(Chain((), self._hosts.registry, time.perf_counter))
        for slot in self.slots:
            change = await slot.prepare_disable()
            change.commit()
            await change.drain(0.0)
        if self._drains:
            await asyncio.wait(self._drains, timeout=5.0)
        self._hosts.state.close()
        self._scratch.cleanup()

    async def _try(self, id: str) -> None:
        self._stamps[id] = stamp(self._sources[id].path)
        try:
            await self.reload(id)
        except (PlugbayError, OSError) as error:
            _log.error("%s was not swapped, the running one stays: %s", id, error)
        else:
            current = self.slots.get(id).current
            _log.info("%s was swapped: generation %d", id, current.number if current else 0)

    async def _change(self, plugin: LocalPlugin, ready: Ready) -> None:
        manifest = ready.manifest
        if "mcp-filter" not in manifest.provides:
            provides = ", ".join(manifest.provides) or "nothing"
            raise Invalid(f"{manifest.id} is no mcp-filter: it provides {provides}")
        slot = self.slots.ensure(manifest.id)
        await self._install(slot, self._generation(slot.take_number(), plugin, ready))
        self._sources[manifest.id] = plugin
        self._stamps[manifest.id] = stamp(plugin.path)

    async def _install(self, slot: Slot, fresh: Generation) -> None:
        """Let messages pass a generation. Raises `PlugbayError`; then all is as before."""
        known = slot.current is not None
        change = await (slot.prepare_swap(fresh) if known else slot.prepare_enable(fresh))
        try:
            chain = self._chain(fresh)
        except PlugbayError:
            await change.abort()
            raise
        change.commit()
        self.current.install(chain)
        drain = asyncio.create_task(change.drain(DRAIN))
        self._drains.add(drain)
        drain.add_done_callback(self._drains.discard)

    def _chain(self, fresh: Generation | None = None) -> Chain:
        serving = {slot.plugin: slot.current for slot in self.slots if slot.current is not None}
        if fresh is not None:
            serving[fresh.plugin] = fresh
        members = [_member(generation) for generation in serving.values()]
        return Chain(members, self._hosts.registry, time.perf_counter)

    def _slot(self, id: str) -> Slot:
        return Slot(id, self._clock, revised=self._revised)

    def _revised(self, _: Slot) -> None:
        self.current.chain.rebuild()

    def _generation(self, number: int, plugin: LocalPlugin, ready: Ready) -> Generation:
        async def load(number: int) -> Instance:
            return await self._load(number, plugin, ready)

        return Generation(
            plugin=ready.manifest.id,
            number=number,
            digest=ready.digest,
            config_version=1,
            manifest=ready.manifest,
            load=load,
            breaker=CircuitBreaker(self._clock),
        )

    async def _load(self, number: int, plugin: LocalPlugin, ready: Ready) -> Instance:
        manifest = ready.manifest
        runtime = self._runtimes.get(manifest.runtime)
        if runtime is None:
            detail = f"its runtime is {manifest.runtime}: it runs on a gateway's MCP routes only"
            raise LoadFailed(manifest.id, detail, generation=number)
        host = self._hosts.lend(manifest, number)
        request = LoadRequest(
            manifest=manifest,
            payload=ready.payload,
            digest=ready.digest,
            config=plugin.config,
            host=host,
            generation=number,
        )
        try:
            return _Hosted(await runtime.load(request), host)
        except BaseException:
            await host.close()
            raise


class _Hosted:
    """An instance whose host is closed when it has stopped."""

    def __init__(self, instance: Instance, host: PluginHost) -> None:
        self._instance, self._host = instance, host
        self.start, self.health = instance.start, instance.health
        self.snapshot, self.restore = instance.snapshot, instance.restore

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The instance's own."""
        return self._instance.hooks

    async def stop(self) -> None:
        """Stop the instance, then take back what it was lent."""
        try:
            await self._instance.stop()
        finally:
            await self._host.close()


def _member(generation: Generation) -> Member:
    manifest = generation.manifest
    return Member(
        id=generation.plugin,
        generation=generation,
        order=manifest.order,
        closed=fails_closed(manifest),
    )
