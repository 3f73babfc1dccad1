"""What a plugin is lent where there is no gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.app._host import PluginHost
from plugbay.app._secrets import SecretFiles, environment
from plugbay.app.local._kv import LocalKeyValue, LocalState
from plugbay.observability import HostMetrics, Registry
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import Clock, EventBus
    from plugbay.observability import Logs
    from plugbay.sdk import Manifest, SharedMemory


class LocalHosts:
    """Lends each generation its host: logs, metrics, events and state of this process."""

    def __init__(self, directory: Path, logs: Logs, bus: EventBus, clock: Clock) -> None:
        self._directory, self._logs, self._bus, self._clock = directory, logs, bus, clock
        self.registry = Registry()
        self.state = LocalState(directory, clock)
        self._metrics: dict[tuple[str, str], HostMetrics] = {}

    def lend(self, manifest: Manifest, generation: int) -> PluginHost:
        """Make the host of one generation."""
        key = manifest.id, manifest.version
        if key not in self._metrics:
            self._metrics[key] = HostMetrics(self.registry, *key)
        secrets = self._directory / "secrets"
        return PluginHost(
            manifest,
            generation,
            log=self._logs.plugin(manifest.id, manifest.version, generation),
            clock=self._clock,
            metrics=self._metrics[key],
            publish=self._publish,
            kv=LocalKeyValue(self.state, manifest.id),
            secrets=SecretFiles(secrets, environment(), manifest.permissions.secrets),
            data_dir=self._directory / "plugins" / manifest.id,
            share=_no_share,
        )

    def _publish(self, topic: str, source: str, data: dict[str, object]) -> None:
        self._bus.publish(topic, source, data)


def _no_share(plugin: str, name: str, size: int, each: int) -> SharedMemory:
    raise HostUnavailable(
        f"{plugin}: there are no workers here to share {name} ({size} + {each} B) with"
    )
