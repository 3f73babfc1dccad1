"""What the admin API needs of the rest, as it sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.admin.access import Passwords
from plugbay.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Collection,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from plugbay.admin._figures import Figures
    from plugbay.admin._journal import Journal
    from plugbay.admin._recent_logs import LogLine
    from plugbay.admin.audit import AuditLog
    from plugbay.artifacts import (
        Artifact,
        Declaration,
        Kind,
        LayerEvent,
        Migration,
        UpkeepReport,
        Upload,
    )
    from plugbay.control import Change, Desired, Operation, SlotReport
    from plugbay.kernel import ArtifactState, Clock, ConfigVersion, Problem
    from plugbay.mcp.serving import EndpointStatus, McpSpec
    from plugbay.observability import TrafficPoint
    from plugbay.storage import Database


class WorkerLink(Protocol):
    """A connected worker, as the coordinator knows it."""

    @property
    def worker(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def since(self) -> float: ...
    @property
    def revision(self) -> int: ...
    @property
    def ready(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    @property
    def listening(self) -> tuple[str, ...]: ...
    @property
    def slots(self) -> Mapping[str, SlotReport]: ...


class Roster(Protocol):
    """The connected workers, by name."""

    @property
    def sessions(self) -> Mapping[str, WorkerLink]: ...


class Ledger(Protocol):
    """The operations."""

    def get(self, id: str) -> Operation:
        """Raises `NotFound`."""
        ...

    def latest(self, *, limit: int = 100, before: int = 0) -> list[Operation]:
        """The newest first; `before` a sequence number."""
        ...

    def by_key(self, actor: str, key: str) -> Operation | None:
        """What this actor has submitted with this idempotency key."""
        ...


class Control(Protocol):
    """The coordinator: what is wanted, what is, and changes."""

    @property
    def desired(self) -> Desired: ...
    @property
    def roster(self) -> Roster: ...
    @property
    def ledger(self) -> Ledger: ...
    async def submit(
        self,
        change: Change,
        *,
        actor: str,
        reason: str = "",
        expected: int | None = None,
        idempotency_key: str = "",
    ) -> Operation:
        """Accept a change durably. `expected` is the revision at which the caller saw it."""
        ...

    async def check(self, change: Change, *, actor: str) -> None:
        """Raise what `submit` would, as far as it can be known; take nothing."""
        ...

    async def wait(self, id: str, *, timeout: float, finished: bool = True) -> Operation:
        """Wait for an operation's end, or until it has converged, or for the timeout."""
        ...

    def converged(self, operation: Operation) -> bool:
        """Whether every connected worker serves what the operation made."""
        ...

    async def cancel(self, id: str) -> Operation:
        """Cancel one that was not begun. Raises `NotFound`, `Conflict`."""
        ...


class Configs(Protocol):
    """The versions of configurations."""

    def configs(self, plugin: str) -> list[ConfigVersion]:
        """Oldest first."""
        ...


class Processes(Protocol):
    """The worker processes."""

    async def restart(self, worker: str) -> None:
        """Replace a worker by a fresh process, with drain, and wait until that is up."""
        ...


class Logs(Protocol):
    """What plugins have logged lately."""

    def recent(self, plugin: str, limit: int) -> list[LogLine]: ...


class Answers(Protocol):
    """What the plugin has answered in each worker, and what went wrong in others."""

    @property
    def workers(self) -> dict[str, dict[str, Any]]: ...
    @property
    def failed(self) -> dict[str, str]: ...


class Operations(Protocol):
    """The operations of running plugins."""

    async def ask(
        self, plugin: str, name: str, arguments: Mapping[str, Any], *, changes: bool
    ) -> Answers:
        """Ask every worker. Raises `NotFound`, `Invalid`, `PluginError`, `Unavailable`."""
        ...


class Traffic(Protocol):
    """What went through lately, as points some seconds apart, the oldest first."""

    def gateway(self) -> Sequence[TrafficPoint]:
        """All requests."""
        ...

    def plugin(self, id: str) -> Sequence[TrafficPoint]:
        """What one plugin saw; nothing if it is not known."""
        ...


class Artifacts(Protocol):
    """The artifact store."""

    def get(self, digest: str) -> Artifact: ...
    def list(
        self, *, plugin: str = "", state: ArtifactState | None = None, kind: str = ""
    ) -> list[Artifact]: ...
    def versions(self, plugin: str) -> Sequence[Artifact]: ...
    def find(self, plugin: str, version: str) -> Artifact: ...
    def content(self, digest: str) -> AsyncIterator[bytes]: ...
    async def payload(self, digest: str) -> Path: ...
    async def delete(self, digest: str, *, in_use: Collection[str] = ()) -> None: ...


class Receiver(Protocol):
    """Takes uploads in."""

    async def receive(
        self,
        chunks: AsyncIterable[bytes],
        *,
        filename: str,
        by: str,
        expected: str | None = None,
        length: int | None = None,
        declaration: Callable[[Kind], Declaration | None] | None = None,
        signature: Callable[[], bytes | None] | None = None,
    ) -> Upload: ...


class Validator(Protocol):
    """Runs the layers over an upload."""

    async def validate(
        self, digest: str, on_event: Callable[[LayerEvent], None] | None = None
    ) -> Artifact: ...
    async def try_with(self, digest: str, config: dict[str, Any]) -> None: ...


class Upkeep(Protocol):
    """Looks after the stored bytes."""

    async def check(self, *, mend: bool = False) -> UpkeepReport: ...
    async def migrate(self) -> Migration: ...


class McpHost(Protocol):
    """What runs the MCP servers and federations."""

    @property
    def status(self) -> Mapping[str, EndpointStatus]:
        """How each of them is, by name; those of which nothing was heard yet are not there."""
        ...

    def problems(self, spec: McpSpec, known: McpSpec) -> Sequence[Problem]:
        """Return what of `spec` cannot run on this machine, besides what `known` has; names are in
        their pointers."""
        ...

    async def restart(self, server: str) -> None:
        """End the processes of a server, and start others. Raises `Unavailable`."""
        ...


class NoMcpHost:
    """There is none."""

    def __init__(self) -> None:
        self.status: Mapping[str, EndpointStatus] = {}

    def problems(self, spec: McpSpec, known: McpSpec) -> Sequence[Problem]:
        """Nothing is known of what it could run."""
        return ()

    async def restart(self, server: str) -> None:
        """Raises `Unavailable`."""
        raise Unavailable(f"nothing runs the MCP server {server}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the composition root hands over, and runs: also `journal.run`."""

    database: Database
    clock: Clock
    audit: AuditLog
    control: Control
    configs: Configs
    processes: Processes
    journal: Journal
    logs: Logs
    traffic: Traffic
    figures: Figures
    operations: Operations
    artifacts: Artifacts
    uploads: Receiver
    validator: Validator
    upkeep: Upkeep
    passwords: Passwords = field(default_factory=Passwords)
    mcp: McpHost = field(default_factory=NoMcpHost)
