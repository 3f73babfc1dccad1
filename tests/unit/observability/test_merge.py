"""Joining the metrics of workers that come and go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugbay.observability import Merged, Registry, render_prometheus
from unit.observability.exposition import at, parse


def worker(requests: int, level: float, revision: int) -> Registry:
    registry = Registry()
    series = registry.plugin("hello", "1", "post-routing")
    series.passed = requests
    for _ in range(requests):
        series.duration.observe(0.5)
    registry.gauge("level", "L.").value().set(level)
    registry.gauge("highest", "H.", combine="max").value().set(level)
    registry.gauge("plugbay_config_generation", "G.", combine="worker").value().set(revision)
    return registry


def page(merged: Merged) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return parse(render_prometheus(merged.collect()).decode())


HELLO = {"plugin": "hello", "version": "1", "phase": "post-routing"}


def passed(merged: Merged) -> float:
    return at(page(merged), "plugbay_plugin_requests_total", outcome="passed", **HELLO)


def test_counters_and_histograms_are_summed_and_gauges_as_declared() -> None:
    merged = Merged()
    merged.update("0", worker(3, 10, 5).snapshot(), incarnation="a")
    merged.update("1", worker(4, 2, 6).snapshot(), incarnation="b")
    found = page(merged)
    assert at(found, "plugbay_plugin_requests_total", outcome="passed", **HELLO) == 7
    assert at(found, "plugbay_plugin_duration_seconds_count", **HELLO) == 7
    assert at(found, "plugbay_plugin_duration_seconds_sum", **HELLO) == 3.5
    assert at(found, "level") == 12
    assert at(found, "highest") == 10
    assert at(found, "plugbay_config_generation", worker="0") == 5
    assert at(found, "plugbay_config_generation", worker="1") == 6


def test_totals_outlive_the_worker_and_gauges_do_not() -> None:
    merged = Merged()
    merged.update("0", worker(3, 10, 5).snapshot(), incarnation="a")
    merged.retire("0")
    merged.retire("0")
    merged.retire("unknown")
    assert passed(merged) == 3
    assert ("level", frozenset[tuple[str, str]]()) not in page(merged)
    merged.update("0", worker(2, 1, 5).snapshot(), incarnation="b")
    assert passed(merged) == 5


def test_a_new_incarnation_retires_the_one_before() -> None:
    merged = Merged()
    merged.update("0", worker(3, 10, 5).snapshot(), incarnation="a")
    merged.update("0", worker(1, 10, 5).snapshot(), incarnation="b")
    assert passed(merged) == 4


def test_a_late_snapshot_of_a_retired_worker_is_not_counted_twice() -> None:
    merged = Merged()
    merged.update("0", worker(3, 10, 5).snapshot(), incarnation="a")
    merged.retire("0")
    merged.update("0", worker(3, 10, 5).snapshot(), incarnation="a")
    assert passed(merged) == 3


def test_the_supervisors_own_families_are_joined() -> None:
    merged, own = Merged(), Registry()
    own.counter("swaps_total", "S.").value().inc(2)
    merged.update("0", worker(1, 0, 0).snapshot(), incarnation="a")
    found = parse(render_prometheus(merged.collect(own.collect())).decode())
    assert at(found, "swaps_total") == 2
    assert at(found, "plugbay_plugin_requests_total", outcome="passed", **HELLO) == 1


@pytest.mark.parametrize("snapshot", [b"", b"\xc1", b"\x80", b"[]", b"\x91\x01"])
def test_what_is_not_a_snapshot_is_refused(snapshot: bytes) -> None:
    with pytest.raises(ValueError, match="not a metrics snapshot"):
        Merged().update("0", snapshot, incarnation="a")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), st.booleans()), max_size=30))
def test_totals_never_go_back(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever workers count, die and are replaced: the total is what all of them counted."""
    merged, total = Merged(), 0
    running: dict[int, tuple[str, Registry]] = {}
    for number, (place, requests, dies) in enumerate(steps):
        if dies:
            merged.retire(str(place))
            running.pop(place, None)
            continue
        name, registry = running.setdefault(place, (f"{place}-{number}", Registry()))
        registry.counter("jobs_total", "J.").value().inc(requests)
        total += requests
        merged.update(str(place), registry.snapshot(), incarnation=name)
        assert at(page(merged), "jobs_total") == total
