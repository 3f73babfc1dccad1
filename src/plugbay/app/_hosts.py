"""Lends each generation its host, and takes it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.app._host import PluginHost
from plugbay.app._secrets import SecretFiles, environment
from plugbay.kernel import OutOfProcess
from plugbay.observability import HostMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from plugbay.app._host import Publish, Share
    from plugbay.control import Errands
    from plugbay.kernel import Clock, EventBus, Hook, Instance, LoadRequest, Runtime, Subscription
    from plugbay.observability import Logs, Registry
    from plugbay.sdk import Event, Host, Manifest

    Closed = Callable[[str, int], None]


class Lent:
    """`control.Lent`: a host until it is closed."""

    def __init__(self, host: PluginHost, closed: Closed) -> None:
        self.host, self._closed = host, closed

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names that the author gave to the background tasks that run now."""
        prefix = f"{self.host.plugin}:"
        names = (task.get_name().removeprefix(prefix) for task in self.host.tasks)
        return tuple(sorted(names))

    async def close(self) -> None:
        """End the background tasks, and say that the generation is over."""
        await self.host.close()
        self._closed(self.host.plugin, self.host.generation)


class WorkerHosts:
    """`control.Hosts` of a worker."""

    def __init__(
        self,
        *,
        logs: Logs,
        clock: Clock,
        registry: Registry,
        errands: Callable[[], Errands],
        publish: Publish,
        closed: Closed,
        data: Path,
        share: Share,
        task_failed: Callable[[str], None],
    ) -> None:
        self._task_failed = task_failed
        self._logs, self._clock, self._registry = logs, clock, registry
        self._errands, self._publish = errands, publish
        self._closed, self._data, self._share = closed, data, share
        self._metrics: dict[tuple[str, str], HostMetrics] = {}

    def lend(self, manifest: Manifest, generation: int) -> Lent:
        """Make the host of one generation; metrics are shared by those of one version."""
        key = manifest.id, manifest.version
        if key not in self._metrics:
            self._metrics[key] = HostMetrics(self._registry, *key)
        granted = manifest.permissions.secrets
        host = PluginHost(
            manifest,
            generation,
            log=self._logs.plugin(manifest.id, manifest.version, generation),
            clock=self._clock,
            metrics=self._metrics[key],
            publish=self._publish,
            kv=self._errands().store(manifest.id),
            secrets=SecretFiles(self._data / "secrets", environment(), granted),
            data_dir=self._data / "plugins" / manifest.id,
            share=self._share,
            task_failed=self._task_failed,
        )
        return Lent(host, self._closed)


class Listening:
    """A runtime whose event handlers hear the bus from their start to their stop."""

    def __init__(self, runtime: Runtime, bus: EventBus) -> None:
        self._runtime, self._bus = runtime, bus

    async def load(self, request: LoadRequest) -> Instance:
        """Load by the runtime beneath. Raises `LoadFailed`."""
        instance = await self._runtime.load(request)
        hook = instance.hooks.get("on_event")
        if hook is None:
            return instance
        return _Listener(instance, hook, request.host, self._bus)


class _Listener:
    """An instance and its subscription."""

    def __init__(self, instance: Instance, hook: Hook, host: Host, bus: EventBus) -> None:
        self._instance, self._hook, self._host, self._bus = instance, hook, host, bus
        self.health, self.snapshot, self.restore = (
            instance.health,
            instance.snapshot,
            instance.restore,
        )
        self._subscription: Subscription | None = None

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The plugin's own."""
        return self._instance.hooks

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that the plugin runs in, if it has some of its own."""
        return self._instance.pids if isinstance(self._instance, OutOfProcess) else ()

    async def start(self) -> None:
        """Start the plugin, then let it hear."""
        await self._instance.start()
        topics: tuple[str, ...] = tuple(getattr(self._hook.call, "__self__", None).topics)  # type: ignore[union-attr]  # a bound method of an EventHandler
        if topics:
            self._subscription = self._bus.subscribe(*topics, name=self._host.plugin)
            self._host.spawn(self._listen(self._subscription), name="events")

    async def stop(self) -> None:
        """Let it hear no more, then stop it."""
        if self._subscription is not None:
            self._subscription.close()
        await self._instance.stop()

    async def _listen(self, events: Subscription) -> None:
        async for event in events:
            await self._handle(event)

    async def _handle(self, event: Event) -> None:
        """The plugin border: an event that it cannot handle is logged, the next one follows."""
        try:
            done: Any = self._hook.call(event)
            if self._hook.coroutine:
                await done
        except Exception as error:
            self._host.log.error("on_event(%s) failed", event.topic, exc_info=error)
