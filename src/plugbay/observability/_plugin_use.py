"""What plugins take of the machine, as far as that can be told apart.

The processes of a plugin are its own: their memory and CPU time are what the kernel counts. Code
that runs in the worker shares its heap and its loop with everything else there, so for it there
is only the time in its hooks, and the memory that it shares between workers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugbay.observability._registry import Registry

USE_FAMILIES = {
    "cpu_seconds": "plugbay_plugin_cpu_seconds_total",
    "memory_bytes": "plugbay_plugin_memory_bytes",
    "processes": "plugbay_plugin_processes",
    "shared_bytes": "plugbay_plugin_shared_memory_bytes",
    "task_failures": "plugbay_plugin_task_failures_total",
}
"""Names by what they say of a plugin."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class PluginUse:
    """Families of what plugins take; for a worker, which looks before each snapshot."""

    def __init__(self, registry: Registry) -> None:
        names, labels = USE_FAMILIES, ("plugin",)
        self._cpu = registry.counter(
            names["cpu_seconds"], "CPU time of the plugin's own processes.", labels
        )
        self._memory = registry.gauge(
            names["memory_bytes"], "Resident memory of the plugin's own processes.", labels
        )
        self._processes = registry.gauge(
            names["processes"], "Processes that the plugin runs in, beside the workers.", labels
        )
        self._shared = registry.gauge(
            names["shared_bytes"], "Memory that all workers share.", labels, combine="max"
        )
        self._failures = registry.counter(
            names["task_failures"], "Background tasks of the plugin that raised.", labels
        )
        self._seen: dict[int, float] = {}
        """CPU seconds of each process at the last look."""

    def look(self, processes: Mapping[str, Iterable[int]]) -> None:
        """Read what the processes of each plugin have used; others are forgotten."""
        self._memory.clear()
        self._processes.clear()
        seen: dict[int, float] = {}
        for plugin, roots in processes.items():
            pids = {pid for root in roots for pid in _tree(root)}
            if not pids:
                continue
            memory = 0
            for pid in pids:
                cpu, resident = _read(pid)
                seen[pid] = cpu
                memory += resident
                self._cpu.value(plugin).inc(max(0.0, cpu - self._seen.get(pid, 0.0)))
            self._memory.value(plugin).set(memory)
            self._processes.value(plugin).set(len(pids))
        self._seen = seen

    def shared(self, sizes: Mapping[str, int]) -> None:
        """Say how many bytes of shared memory each plugin has."""
        for plugin, size in sizes.items():
            self._shared.value(plugin).set(size)

    def task_failed(self, plugin: str) -> None:
        """Count a background task that raised."""
        self._failures.value(plugin).inc()


def _tree(pid: int) -> list[int]:
    """A process and its descendants (proc(5): the children of its main thread)."""
    found, waiting = list[int](), [pid]
    while waiting:
        found.append(one := waiting.pop())
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        waiting += map(int, children.split())
    return found


def _read(pid: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process; nothing if it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE
