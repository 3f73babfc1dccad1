"""The operator's rules for the processes of plugins: what they may use at the most."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from plugbay.isolation._sandbox import Isolation, Network, Sandbox, may_change_user

if TYPE_CHECKING:
    from plugbay.sdk import Manifest

_WIDTH: dict[Network, int] = {"none": 0, "loopback": 1, "host": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOverride:
    """What is different for one plugin; what is not named is as for all."""

    isolation: Isolation | None = None
    network: Network | None = None
    """Exactly this, whatever the plugin's manifest asks for."""
    memory_mb: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None
    processes: int | None = None
    file_mb: int | None = None
    start_seconds: float | None = None
    call_seconds: float | None = None
    user: str | None = None
    readable: tuple[str, ...] | None = None
    writable: tuple[str, ...] | None = None
    auto_mtls: bool | None = None
    spare: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPolicy:
    """What plugins may use that run as processes, and what an upload may use in its trial.

    Limits are the most that a manifest can ask for; 0 is no limit of the operator's. What the
    host does not allow is refused with `require`, and done without, with a warning, with
    `prefer`; `off` guards neither files nor the network.
    """

    isolation: Isolation = "prefer"
    network: Network = "host"
    """The most that a plugin gets whose manifest asks for the network; others have a loopback
    of their own, or none."""
    memory_mb: int = 0
    cpu_seconds: int = 0
    open_files: int = 1024
    processes: int = 128
    """Processes and threads. Not counted while the gateway runs as root, without `user`."""
    file_mb: int = 0
    """The largest file that one may write."""
    start_seconds: float = 0.0
    """Within which time one must have started."""
    call_seconds: float = 0.0
    """Within which time a hook must have answered."""
    user: str = ""
    """The user to run them as, where the gateway runs as root; empty: the gateway's own."""
    readable: tuple[str, ...] = ()
    """Files and directories to read, beside the system's libraries."""
    writable: tuple[str, ...] = ()
    """Directories to write, beside their own temporary one."""
    auto_mtls: bool = False
    """Encrypt the connection by go-plugin's AutoMTLS, with plugins that can."""
    spare: bool = False
    """Keep a second process ready, which takes over at once when the first one dies."""
    plugins: dict[str, ProcessOverride] = field(default_factory=dict[str, ProcessOverride])
    """What is different for one plugin, by its id."""

    def of(self, plugin: str) -> ProcessPolicy:
        """Return the rules for one plugin."""
        own = self.plugins.get(plugin)
        if own is None:
            return self
        fields = {name: getattr(own, name) for name in ProcessOverride.__slots__}
        return replace(self, **{name: value for name, value in fields.items() if value is not None})

    def bound(self, manifest: Manifest) -> Manifest:
        """Return the manifest with limits that are not beyond the operator's."""
        rules, limits = self.of(manifest.id), manifest.limits
        lowered = replace(
            limits,
            memory_mb=_least(limits.memory_mb, rules.memory_mb),
            cpu_seconds=_least(limits.cpu_seconds, rules.cpu_seconds),
            open_files=_least(limits.open_files, rules.open_files),
            start_ms=_least(limits.start_ms, int(rules.start_seconds * 1000)),
            request_ms=_least(limits.request_ms, int(rules.call_seconds * 1000)),
        )
        return replace(manifest, limits=lowered)

    def sandbox(self, manifest: Manifest, *, overhead_mb: int, hide: tuple[str, ...]) -> Sandbox:
        """Return what the process of a plugin may use.

        `overhead_mb` is the memory that its runtime has before the plugin does anything.
        """
        rules, limits = self.of(manifest.id), self.bound(manifest).limits
        return Sandbox(
            data_mb=limits.memory_mb + overhead_mb,
            open_files=limits.open_files,
            file_mb=rules.file_mb,
            cpu_seconds=limits.cpu_seconds,
            processes=rules.processes,
            network=self._network(manifest),
            isolation=rules.isolation,
            user=rules.user if may_change_user() else "",
            read=rules.readable,
            write=rules.writable,
            hide=hide,
        )

    def most_network(self, plugin: str) -> Network:
        """Return the most that a plugin may have of the network."""
        return self.of(plugin).network

    def _network(self, manifest: Manifest) -> Network:
        own = self.plugins.get(manifest.id)
        if own is not None and own.network is not None:
            return own.network
        asked: Network = "host" if manifest.permissions.network else "loopback"
        return min(asked, self.network, key=_WIDTH.__getitem__)


def _least(asked: int, most: int) -> int:
    """Return the smaller limit; 0 is none."""
    return min(asked, most) if asked and most else asked or most
