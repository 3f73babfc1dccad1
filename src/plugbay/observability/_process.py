"""What the operating system knows of this process (Linux; elsewhere less is exported)."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.observability._family import Definition, FamilySnapshot, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABELS = ("process",)
CPU = Definition(
    "plugbay_process_cpu_seconds_total", "counter", "User and system CPU time.", _LABELS
)
MEMORY = Definition("plugbay_process_resident_memory_bytes", "gauge", "Resident memory.", _LABELS)
FILES = Definition("plugbay_process_open_fds", "gauge", "Open file descriptors.", _LABELS)
LIMIT = Definition("plugbay_process_max_fds", "gauge", "The limit of the same.", _LABELS)
START = Definition(
    "plugbay_process_start_time_seconds", "gauge", "When it started, as Unix time.", _LABELS
)


class ProcessCollector:
    """A collector for the process it runs in; `name` is its label (`supervisor`, `worker-0`)."""

    def __init__(self, name: str, *, started: float) -> None:
        self._labels = (name,)
        self._started = started

    def collect(self) -> Iterator[FamilySnapshot]:
        """Yield the families as they are now."""
        times = os.times()
        yield self._one(CPU, times.user + times.system)
        yield self._one(START, self._started)
        yield self._one(LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            files = len(os.listdir("/proc/self/fd"))
        except OSError:
            return
        yield self._one(MEMORY, pages * os.sysconf("SC_PAGE_SIZE"))
        yield self._one(FILES, files)

    def _one(self, definition: Definition, value: float) -> FamilySnapshot:
        return FamilySnapshot(definition, [Sample(self._labels, value)])
