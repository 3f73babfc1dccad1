"""The host that a plugin is lent in its trial: nothing of the gateway is behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Background
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Coroutine
    from pathlib import Path

    from plugbay.sdk import KeyValue, Manifest, Metrics, Secrets, SharedMemory


class RealClock:
    """The time of this machine."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()


class TrialEvents:
    """Takes events and delivers them to nobody."""

    def publish(self, topic: str, /, **data: object) -> None:
        """Publish to no one."""


class TrialHost:
    """Implements `sdk.Host`: real time, state in memory, and made-up secrets."""

    def __init__(self, manifest: Manifest, generation: int) -> None:
        names = manifest.permissions.secrets
        inner = FakeHost(
            manifest.id,
            manifest.version,
            generation,
            secrets={name: f"trial-{name}" for name in names},
            declared=names,
        )
        self.plugin, self.version, self.generation = manifest.id, manifest.version, generation
        self.clock = RealClock()
        self.log: logging.LoggerAdapter[logging.Logger] = inner.log
        self.metrics: Metrics = inner.metrics
        self.kv: KeyValue = inner.kv
        self.secrets: Secrets = inner.secrets
        self.events = TrialEvents()
        self._inner = inner
        self._background = Background()
        self.failures: list[str] = []
        """What background tasks have raised."""

    def output(self) -> list[str]:
        """Return what was logged."""
        return self._inner.messages

    @property
    def data_dir(self) -> Path:
        """A directory that is gone after the trial."""
        return self._inner.data_dir

    def shared(self, name: str, size: int, *, each: int = 0) -> SharedMemory:
        """Return memory that nobody else has."""
        return self._inner.shared(name, size, each=each)

    def now(self) -> float:
        """Return `clock.monotonic()`."""
        return self.clock.monotonic()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a background task until `close`."""
        return self._background.spawn(work, self._failed, name=name)

    async def close(self) -> None:
        """Cancel the background tasks and wait for them, for a moment."""
        await self._background.close()

    def _failed(self, task: asyncio.Task[None], error: BaseException) -> None:
        self.failures.append(f"{task.get_name()}: {type(error).__name__}: {error}")
