"""What the gateway lends to a plugin. Everything a plugin needs of the outside comes from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from plugbay.sdk._shared import SharedMemory


class Clock(Protocol):
    """Time, so that tests can move it."""

    def monotonic(self) -> float:
        """Return seconds that never go back; for durations."""
        ...

    def time(self) -> float:
        """Return seconds since the Unix epoch, UTC; for time stamps."""
        ...


class Counter(Protocol):
    """A number that only grows."""

    def inc(self, amount: float = 1.0, /, **labels: str) -> None:
        """Add `amount` (>= 0) to the series with these label values."""
        ...


class Gauge(Protocol):
    """A number that goes up and down."""

    def set(self, value: float, /, **labels: str) -> None:
        """Set the series with these label values."""
        ...


class Histogram(Protocol):
    """A distribution of observed values."""

    def observe(self, value: float, /, **labels: str) -> None:
        """Count `value`; base units (seconds, bytes)."""
        ...


class Metrics(Protocol):
    """Metrics of this plugin; exported as `plugbay_plugin_<id>_<name>` with its version."""

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:
        """Return the counter `name`, made on first use; its name ends in `_total`."""
        ...

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
        """Return the gauge `name`, made on first use."""
        ...

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = ()
    ) -> Histogram:
        """Return the histogram `name`, made on first use; `buckets` are upper bounds."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; delivered to plugins that listen to its topic."""

    topic: str
    source: str
    time: float
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Events(Protocol):
    """The event bus. Publishing never waits: a full queue drops the oldest and counts it."""

    def publish(self, topic: str, /, **data: object) -> None:
        """Publish to the listeners of `topic`, e.g. `ratelimit.violation`."""
        ...


class KeyValue(Protocol):
    """Small durable state of this plugin, shared by all workers and all its generations.

    Keys are at most 256 characters and values at most 64 KiB, else `ValueError`. Every method
    raises `HostUnavailable` while the supervisor is down.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        ...

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store the value durably; it is gone after `ttl` seconds."""
        ...

    async def swap(
        self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None
    ) -> bool:
        """Store the value if what is there is `expected` (None: nothing is); return whether.

        Nobody comes in between, from whichever worker: of several that expect the same, one wins.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget the key; it need not be there."""
        ...

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, sorted."""
        ...


class Secrets(Protocol):
    """Secrets by reference; only those named in the manifest's `permissions.secrets`."""

    def get(self, name: str) -> str:
        """Return the secret. Raises `PermissionError` if undeclared, `KeyError` if unset."""
        ...


class HostUnavailable(Exception):
    """The part of the host that was asked for cannot answer now; try again later."""


class Host(Protocol):
    """What the gateway lends to one generation of a plugin."""

    @property
    def plugin(self) -> str:
        """The plugin's id."""
        ...

    @property
    def version(self) -> str:
        """The plugin's version."""
        ...

    @property
    def generation(self) -> int:
        """The number of this generation in its slot; grows with every change."""
        ...

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger; its records carry the plugin, its version and the request's id."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Metrics of this plugin."""
        ...

    @property
    def events(self) -> Events:
        """The event bus."""
        ...

    @property
    def kv(self) -> KeyValue:
        """Small durable state."""
        ...

    @property
    def secrets(self) -> Secrets:
        """Secrets by reference."""
        ...

    @property
    def data_dir(self) -> Path:
        """A directory of this plugin's own, for larger files; shared by all workers and
        generations, and kept when the gateway restarts."""
        ...

    def shared(self, name: str, size: int, *, each: int = 0) -> SharedMemory:
        """Return memory of `size` bytes, and `each` for each member, that all workers share.

        Raises `ValueError` for a bad name or size, and `HostUnavailable` if there is no room.
        """
        ...

    def now(self) -> float:
        """Return `clock.monotonic()`."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a background task that belongs to this generation: it is cancelled with it."""
        ...
