"""A host for tests: everything a plugin may ask for, in memory and in the test's hand."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.sdk._shared import SharedMemory
from plugbay.sdk.testing._clock import ManualClock
from plugbay.sdk.testing._events import FakeEvents
from plugbay.sdk.testing._kv import FakeKeyValue
from plugbay.sdk.testing._metrics import FakeMetrics
from plugbay.sdk.testing._secrets import FakeSecrets

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, MutableMapping


class _Recorder(logging.Handler):
    """Keeps log records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class _Log(logging.LoggerAdapter[logging.Logger]):
    """Keeps the caller's `extra`, as the gateway's does; the base class replaces it."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


class FakeHost:
    """Implements `plugbay.sdk.Host`. `records` are the log records, `tasks` what runs now."""

    def __init__(
        self,
        plugin: str = "plugin",
        version: str = "0.0.0",
        generation: int = 1,
        *,
        clock: ManualClock | None = None,
        secrets: Mapping[str, str] | None = None,
        declared: Iterable[str] | None = None,
        data_dir: Path | None = None,
        blocks: dict[tuple[str, int], bytearray] | None = None,
        index: int = 0,
        members: int = 4,
    ) -> None:
        self.plugin, self.version, self.generation = plugin, version, generation
        self.clock = ManualClock() if clock is None else clock
        self.metrics = FakeMetrics()
        self.events = FakeEvents(plugin, self.clock)
        self.kv = FakeKeyValue(self.clock)
        self.secrets = FakeSecrets(secrets or {}, declared)
        self._data_dir = data_dir
        self.blocks: dict[tuple[str, int], bytearray] = {} if blocks is None else blocks
        """Shared memory by name and size; hand it to another host to share it."""
        self._index, self._members = index, members
        self.tasks: set[asyncio.Task[None]] = set()
        self.failures: list[Exception] = []
        """What background tasks have raised."""
        self._recorder = _Recorder()
        # A logger of its own, outside the tree of `logging.getLogger`: hosts share nothing.
        logger = logging.Logger(plugin, logging.DEBUG)
        logger.addHandler(self._recorder)
        self.log = _Log(logger, {"plugin": plugin, "version": version})

    @property
    def records(self) -> list[logging.LogRecord]:
        """What the plugin has logged, at every level."""
        return self._recorder.records

    @property
    def messages(self) -> list[str]:
        """The same as formatted text, without level and time."""
        return [record.getMessage() for record in self.records]

    @property
    def data_dir(self) -> Path:
        """The directory that was given, else one that ends with this host."""
        if self._data_dir is None:
            self._data_dir = Path(tempfile.mkdtemp(prefix="plugbay-plugin-"))
            weakref.finalize(self, shutil.rmtree, self._data_dir, ignore_errors=True)
        return self._data_dir

    def shared(self, name: str, size: int, *, each: int = 0) -> SharedMemory:
        """Return memory as another worker has it whose host was given the same `blocks`."""
        size += each * self._members
        block = self.blocks.setdefault((name, size), bytearray(size))
        return SharedMemory(memoryview(block), self._index, self._members)

    def now(self) -> float:
        """Return `clock.monotonic()`."""
        return self.clock.monotonic()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a background task that is cancelled by `close`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel the background tasks and wait for them.

        Raises `ExceptionGroup` of what they have raised: a gateway would log it and go on.
        """
        left = tuple(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        failures, self.failures = self.failures, []
        if failures:
            raise ExceptionGroup(f"background tasks of {self.plugin} failed", failures)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.failures.append(error)
