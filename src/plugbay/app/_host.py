"""What the gateway lends to one generation: `sdk.Host`, made of the worker's own parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.kernel import Background

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from plugbay.sdk import Clock, KeyValue, Manifest, Metrics, Secrets, SharedMemory

    Publish = Callable[[str, str, dict[str, object]], None]
    Share = Callable[[str, str, int, int], SharedMemory]


class PluginEvents:
    """`sdk.Events`: publishes under the plugin's own name."""

    def __init__(self, publish: Publish, plugin: str) -> None:
        self._publish, self._plugin = publish, plugin

    def publish(self, topic: str, /, **data: object) -> None:
        """Publish to the listeners of `topic` on this worker and, through it, on the others."""
        self._publish(topic, self._plugin, data)


class PluginHost:
    """One generation's host. It owns what it lends: `close` ends every background task."""

    def __init__(
        self,
        manifest: Manifest,
        generation: int,
        *,
        log: logging.LoggerAdapter[logging.Logger],
        clock: Clock,
        metrics: Metrics,
        publish: Publish,
        kv: KeyValue,
        secrets: Secrets,
        data_dir: Path,
        share: Share,
        task_failed: Callable[[str], None] = lambda plugin: None,
    ) -> None:
        self.plugin, self.version, self.generation = manifest.id, manifest.version, generation
        self.log, self.clock, self.metrics = log, clock, metrics
        self.events = PluginEvents(publish, manifest.id)
        self.kv, self.secrets = kv, secrets
        self._data_dir, self._share, self._task_failed = data_dir, share, task_failed
        self.tasks = Background()
        """The background tasks that run now; their names are what the author gave."""

    def now(self) -> float:
        """Return `clock.monotonic()`."""
        return self.clock.monotonic()

    @property
    def data_dir(self) -> Path:
        """The plugin's own directory; made when it is first asked for."""
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._data_dir

    def shared(self, name: str, size: int, *, each: int = 0) -> SharedMemory:
        """Return memory that all workers share. Raises `ValueError`, `HostUnavailable`."""
        return self._share(self.plugin, name, size, each)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a background task until it ends or the generation does. A failure is logged."""
        return self.tasks.spawn(work, self._failed, name=f"{self.plugin}:{name}")

    def _failed(self, task: asyncio.Task[None], error: BaseException) -> None:
        self._task_failed(self.plugin)
        self.log.error("background task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel the background tasks and wait until they have ended, for a moment."""
        await self.tasks.close()
