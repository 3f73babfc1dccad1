"""What the supervisor keeps, as a port: the coordinator's memory across its crashes."""

# No postponed annotations here: msgspec reads them, so they must be real.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugbay.control._model import Desired
from plugbay.control._operation import Operation
from plugbay.kernel import ConfigVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A committed desired state, the operation that made it, and what that touched."""

    desired: Desired
    operation: str
    created: float
    touched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A plugin instance that failed too often on one worker to be tried there again."""

    plugin: str
    instance: tuple[str, int, int]
    worker: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of the journal; `id` grows with each, also across restarts."""

    id: int
    time: float
    topic: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Store(Protocol):
    """Reads answer at once, from the last durable write. Writes return when they are durable.

    Every write raises `Unavailable` if it failed, and then it may have been done all the same:
    whoever must know reads again. Writing the same again changes nothing.
    """

    def committed(self) -> Desired:
        """Return the last committed desired state; an empty one at revision 0 at first."""
        ...

    def revision(self, number: int) -> Revision | None: ...
    def operation(self, id: str) -> Operation | None: ...
    def operations(self, *, limit: int = 100, before: int = 0) -> list[Operation]:
        """Return the latest ones, newest first; `before` a sequence number, to page on."""
        ...

    def by_key(self, actor: str, key: str) -> Operation | None:
        """Return the operation that this actor has submitted with this idempotency key."""
        ...

    def unfinished(self) -> list[Operation]:
        """Return those in a state that something must follow, in the order of submission."""
        ...

    def configs(self, plugin: str) -> list[ConfigVersion]:
        """Return all versions of a plugin's configuration, oldest first."""
        ...

    def quarantined(self) -> list[Quarantined]: ...
    def entries(self, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return the journal's events with a greater id, oldest first."""
        ...

    async def save(self, operation: Operation) -> None:
        """Keep this state of an operation."""
        ...

    async def commit(
        self, revision: Revision, operation: Operation, configs: Sequence[tuple[str, ConfigVersion]]
    ) -> None:
        """Make a revision the committed one: the commit point. All of it, or nothing.

        It also ends the quarantine of every plugin it touched.

        Raises `Conflict` if another revision than the one before it is committed.
        """
        ...

    async def quarantine(self, mark: Quarantined) -> None: ...
    async def record(self, entries: Sequence[Entry]) -> None:
        """Append to the journal and forget its oldest beyond the bound."""
        ...


class KeyValueStore(Protocol):
    """The plugins' small durable state. Every method raises `Unavailable`."""

    async def get(self, plugin: str, key: str) -> bytes | None: ...
    async def set(self, plugin: str, key: str, value: bytes, ttl: float | None) -> None: ...
    async def swap(
        self, plugin: str, key: str, expected: bytes | None, value: bytes, ttl: float | None
    ) -> bool: ...
    async def delete(self, plugin: str, key: str) -> None: ...
    async def keys(self, plugin: str, prefix: str) -> list[str]: ...
