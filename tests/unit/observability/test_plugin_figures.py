"""What is counted of one plugin: over workers that come and go, and of its own processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plugbay.observability import (
    ChangeMetrics,
    EventMetrics,
    HostMetrics,
    Merged,
    PluginFigures,
    PluginUse,
    ProcessCollector,
    Registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def worker(requests: int, name: str = "0") -> Registry:
    registry = Registry()
    registry.add(ProcessCollector(f"worker-{name}", started=0.0))
    series = registry.plugin("guard", "1", "pre-routing")
    series.passed, series.answered, series.failed, series.skipped = requests, 2, 1, 5
    series.duration.observe(0.25)
    registry.plugin("other", "1", "pre-routing").passed = 1000
    own = HostMetrics(registry, "guard", "1")
    own.counter("bans_total", "Bans.", ("why",)).inc(requests, why="rate")
    own.gauge("level", "L.").set(float("nan"))
    own.histogram("wait_seconds", "W.", buckets=(1.0, 2.0)).observe(1.5)
    HostMetrics(registry, "guard-two", "1").counter("bans_total", "Bans.").inc(99)
    events = EventMetrics(registry)
    events.published("guard")
    events.dropped("guard")
    use = PluginUse(registry)
    use.shared({"guard": 4096})
    use.task_failed("guard")
    return registry


@pytest.fixture
def merged() -> Merged:
    merged = Merged()
    merged.update("0", worker(10).snapshot(), incarnation="a")
    merged.update("1", worker(20, "1").snapshot(), incarnation="b")
    return merged


def test_totals_are_of_all_workers_and_never_go_back(merged: Merged) -> None:
    supervisor = Registry()
    ChangeMetrics(supervisor).plugin_restarted("guard", "failed")
    ChangeMetrics(supervisor).plugin_restarted("other", "failed")
    figures = PluginFigures(merged, supervisor)
    totals = figures.totals("guard")
    assert (totals.requests, totals.answered, totals.failed, totals.skipped) == (36, 4, 2, 10)
    assert totals.hook_seconds == 0.5
    assert (totals.restarts, totals.task_failures) == (1, 2)
    assert (totals.events.published, totals.events.dropped, totals.events.delivered) == (2, 2, 0)
    assert totals.shared_memory_bytes == 4096  # the same memory in both
    assert totals.worker_memory_bytes > 2 << 20
    assert (totals.memory_bytes, totals.cpu_seconds, totals.processes) == (None, None, 0)

    merged.retire("0")  # it was killed
    assert figures.totals("guard").requests == 36
    merged.update("0", worker(1).snapshot(), incarnation="c")
    assert figures.totals("guard").requests == 40
    assert figures.totals("nobody").requests == 0


def test_its_own_metrics_are_told_apart_from_others_of_alike_names(merged: Merged) -> None:
    figures = PluginFigures(merged, Registry())
    bans, level, wait = figures.own("guard")
    assert (bans.name, bans.kind, bans.exported_as) == (
        "bans_total",
        "counter",
        "plugbay_plugin_guard_bans_total",
    )
    assert (bans.series[0].labels, bans.series[0].value) == ({"version": "1", "why": "rate"}, 30)
    assert level.series[0].value is None
    assert (wait.series[0].count, wait.series[0].value) == (2, 3.0)
    assert [(one.le, one.count) for one in wait.series[0].buckets] == [(1, 0), (2, 2), (None, 2)]
    assert [metric.name for metric in figures.own("guard-two")] == ["bans_total"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child, both alive until their input ends."""
    source = """if True:
        import subprocess, sys
        print(flush=True)
        subprocess.run([sys.executable, "-c", "input()"])
    """
    child = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.communicate(b"\n\n", timeout=100)


def test_processes_are_measured_with_what_they_start(process: subprocess.Popen[bytes]) -> None:
    registry = Registry()
    use, figures = PluginUse(registry), Merged()
    readings = PluginFigures(figures, Registry())

    def look(pids: dict[str, tuple[int, ...]], incarnation: str) -> None:
        use.look(pids)
        figures.update("0", registry.snapshot(), incarnation=incarnation)

    look({"outside": (os.getpid(), process.pid), "inside": ()}, "a")
    first = readings.totals("outside")
    assert first.processes >= 2
    assert first.memory_bytes is not None
    assert first.memory_bytes > 8 << 20
    assert first.cpu_seconds is not None
    assert first.cpu_seconds > 0
    assert readings.totals("inside").memory_bytes is None

    look({"outside": ()}, "a")  # it has ended: what it used stays, what it holds is gone
    last = readings.totals("outside")
    assert (last.cpu_seconds, last.processes) == (first.cpu_seconds, 0)
