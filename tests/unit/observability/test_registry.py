"""Families, series, the registry and its page."""

from __future__ import annotations

import math

import pytest

from plugbay.observability import (
    OPENMETRICS,
    PROMETHEUS,
    ChangeMetrics,
    Definition,
    Family,
    FamilySnapshot,
    Histogram,
    ProcessCollector,
    Registry,
    Sample,
    SlotMetrics,
    negotiate,
    render_prometheus,
)
from unit.observability.exposition import at, parse


def page(registry: Registry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return parse(render_prometheus(registry.collect()).decode())


def test_a_bucket_includes_its_upper_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert (histogram.count, histogram.total) == (5, 7.5)


def test_many_values_at_once_count_as_each_of_them_does() -> None:
    one, many = Histogram((1.0, 2.0, 4.0)), Histogram((1.0, 2.0, 4.0))
    for values in ((), (0.5,), (2.0, 0.5), (1.5, 8.0, 1.0, 4.5), (4.0, 3.0)):
        for value in values:
            one.observe(value)
        many.observe_all(values)
        assert (many.counts, many.total) == (one.counts, one.total)


def test_plugin_series_are_exported_by_outcome() -> None:
    registry = Registry()
    series = registry.plugin("hello", "1.0.0", "post-routing")
    series.passed += 3
    series.answered += 1
    series.duration.observe(0.000002)
    assert registry.plugin("hello", "1.0.0", "post-routing") is series
    found = page(registry)
    labels = {"plugin": "hello", "version": "1.0.0", "phase": "post-routing"}
    name = "plugbay_plugin_requests_total"
    assert at(found, name, outcome="passed", **labels) == 3
    assert at(found, name, outcome="answered", **labels) == 1
    assert at(found, name, outcome="failed", **labels) == 0
    assert at(found, name, outcome="skipped", **labels) == 0
    assert at(found, "plugbay_plugin_duration_seconds_bucket", le="1e-06", **labels) == 0
    assert at(found, "plugbay_plugin_duration_seconds_bucket", le="5e-06", **labels) == 1
    assert at(found, "plugbay_plugin_duration_seconds_sum", **labels) == 0.000002


def test_routes_bound_the_methods() -> None:
    registry = Registry()
    route = registry.route("api")
    route.count("GET", 200, 0.004, 10, 20)
    route.count("GET", 200, 20.0, 10, 20)
    route.count("BREW", 405, 0.1, 0, 1)
    route.count("STEAM", 405, 0.1, 0, 1)
    route.in_flight = 2
    found = page(registry)
    assert at(found, "plugbay_http_requests_total", route="api", method="GET", code="200") == 2
    assert at(found, "plugbay_http_requests_total", route="api", method="OTHER", code="405") == 2
    assert at(found, "plugbay_http_request_bytes_total", route="api") == 20
    assert at(found, "plugbay_http_response_bytes_total", route="api") == 42
    assert at(found, "plugbay_http_requests_in_flight", route="api") == 2
    assert at(found, "plugbay_http_request_duration_seconds_count", route="api") == 4
    seconds = "plugbay_http_request_duration_seconds_bucket"
    assert at(found, seconds, route="api", le="10.0") == 3
    assert at(found, seconds, route="api", le="+Inf") == 4


def test_upstreams_are_exported() -> None:
    registry = Registry()
    target = registry.upstream("api", "10.0.0.1:80")
    target.requests, target.failures, target.healthy, target.connects = 5, 2, 0, 3
    target.duration.observe(0.2)
    found = page(registry)
    labels = {"upstream": "api", "target": "10.0.0.1:80"}
    assert at(found, "plugbay_upstream_requests_total", **labels) == 5
    assert at(found, "plugbay_upstream_failures_total", **labels) == 2
    assert at(found, "plugbay_upstream_connections_total", **labels) == 3
    assert at(found, "plugbay_upstream_healthy", **labels) == 0
    assert at(found, "plugbay_upstream_duration_seconds_count", **labels) == 1


def test_an_empty_registry_is_an_empty_page() -> None:
    assert render_prometheus(Registry().collect()) == b""


def test_a_full_family_counts_in_its_overflow_series() -> None:
    registry = Registry(limit=2)
    family = registry.counter("jobs_total", "Jobs.", ("kind",))
    for kind in ("a", "b", "c", "d", "a"):
        family.value(kind).inc()
    for route in ("r1", "r2", "r3", "r4"):
        registry.route(route).count("GET", 200, 0.1, 0, 0)
    found = page(registry)
    assert at(found, "jobs_total", kind="a") == 2
    assert at(found, "jobs_total", kind="overflow") == 2
    assert at(found, "plugbay_metrics_overflow_total", family="jobs_total") == 2
    labels = {"route": "overflow", "method": "GET", "code": "200"}
    assert at(found, "plugbay_http_requests_total", **labels) == 2
    refused = "plugbay_metrics_overflow_total"
    assert at(found, refused, family="plugbay_http_requests_total") == 2


def test_gauges_can_be_removed_and_cleared() -> None:
    family = Registry().gauge("level", "Level.", ("tank",))
    family.value("a").set(1)
    family.value("b").set(2)
    family.remove("a")
    family.remove("never")
    assert [one.labels for one in family.snapshot().samples] == [("b",)]
    family.clear()
    assert family.snapshot().samples == []


def test_a_family_refuses_the_wrong_kind_and_labels() -> None:
    registry = Registry()
    numbers = registry.counter("a_total", "A.", ("x",))
    times = registry.histogram("b_seconds", "B.", bounds=(1.0,))
    with pytest.raises(TypeError, match="counter"):
        numbers.histogram("1")
    with pytest.raises(TypeError, match="histogram"):
        times.value()
    with pytest.raises(ValueError, match="has the labels"):
        numbers.value("1", "2")


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        (Definition("1a_total", "counter", "h"), "not a metric name"),
        (Definition("a b", "gauge", "h"), "not a metric name"),
        (Definition("a_total\n", "counter", "h"), "not a metric name"),
        (Definition("a", "counter", "h"), "end in _total"),
        (Definition("a_total", "gauge", "h"), "end in _total"),
        (Definition("a_count", "gauge", "h"), "ends in one of"),
        (Definition("a", "gauge", "h", ("1",)), "not a label name"),
        (Definition("a", "gauge", "h", ("__x",)), "not a label name"),
        (Definition("a", "gauge", "h", ("x", "x")), "named twice"),
        (Definition("a", "histogram", "h", ("le",), (1.0,)), "not a label name"),
        (Definition("a", "histogram", "h", (), (2.0, 1.0)), "must grow"),
        (Definition("a", "histogram", "h", (), (1.0, 1.0)), "must grow"),
    ],
)
def test_a_wrong_definition_is_refused(definition: Definition, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Family(definition)


def test_labels_and_help_are_escaped() -> None:
    registry = Registry()
    nasty = 'a"b\\c\nd},x="1'
    registry.gauge("g", "help \\ with\nbreak", ("l",)).value(nasty).set(math.inf)
    assert at(page(registry), "g", l=nasty) == math.inf
    assert b"# HELP g help \\\\ with\\nbreak\n" in render_prometheus(registry.collect())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (2.0**60, "1.152921504606847e+18"),
    ],
)
def test_numbers_are_written_as_scrapers_read_them(value: float, text: str) -> None:
    registry = Registry()
    registry.gauge("g", "G.").value().set(value)
    assert render_prometheus(registry.collect()).decode().splitlines()[-1] == f"g {text}"


def test_one_name_has_one_kind_and_one_value_per_series() -> None:
    families = [
        FamilySnapshot(Definition("a_total", "counter", "first"), [Sample((), 1)]),
        FamilySnapshot(Definition("a_total", "counter", "other help"), [Sample((), 2)]),
        FamilySnapshot(Definition("a", "gauge", "same stem"), [Sample((), 3)]),
        FamilySnapshot(Definition("a_total", "counter", "wider", ("x",)), [Sample(("1",), 4)]),
    ]
    for kind in (PROMETHEUS, OPENMETRICS):
        found = parse(render_prometheus(families, content_type=kind).decode())
        assert found == {("a_total", frozenset()): 1, ("a_total", frozenset({("x", "1")})): 4}


def test_openmetrics_names_counters_without_total_and_ends_in_eof() -> None:
    registry = Registry()
    registry.counter("jobs_total", 'Jobs "done".').value().inc()
    text = render_prometheus(registry.collect(), content_type=OPENMETRICS).decode()
    assert text == '# HELP jobs Jobs \\"done\\".\n# TYPE jobs counter\njobs_total 1\n# EOF\n'


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", PROMETHEUS),
        ("*/*", PROMETHEUS),
        ("text/plain;version=0.0.4", PROMETHEUS),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", OPENMETRICS),
        ("text/plain, Application/OpenMetrics-Text; q=0.3", OPENMETRICS),
        ("application/openmetrics-text;q=0", PROMETHEUS),
        ("application/openmetrics-text;q=x", PROMETHEUS),
    ],
)
def test_the_format_is_negotiated(accept: str, expected: str) -> None:
    assert negotiate(accept) == expected


def test_changes_and_slots() -> None:
    registry = Registry()
    changes, slots = ChangeMetrics(registry), SlotMetrics(registry)
    changes.ended("ok", {"prepare": 0.02, "drain": 0.001}, cancelled=1)
    changes.ended("rolled_back", {"prepare": 0.02})
    changes.plugin_restarted("hello", "crashed")
    changes.worker_replaced("killed")
    slots.revision(7)
    slots.slot("gone", "active", in_flight=1, draining=0)
    slots.clear()
    slots.slot("hello", "reloading", in_flight=4, draining=1)
    found = page(registry)
    assert at(found, "plugbay_swap_total", result="ok") == 1
    assert at(found, "plugbay_swap_total", result="rolled_back") == 1
    assert at(found, "plugbay_swap_duration_seconds_count", step="prepare") == 2
    assert at(found, "plugbay_swap_dropped_requests_total") == 0
    assert at(found, "plugbay_swap_cancelled_requests_total") == 1
    assert at(found, "plugbay_plugin_restarts_total", plugin="hello", reason="crashed") == 1
    assert at(found, "plugbay_worker_restarts_total", reason="killed") == 1
    assert at(found, "plugbay_config_generation") == 7
    assert at(found, "plugbay_plugin_state", plugin="hello", state="reloading") == 1
    assert at(found, "plugbay_plugin_inflight", plugin="hello") == 4
    assert at(found, "plugbay_plugin_draining", plugin="hello") == 1
    assert not any("gone" in dict(labels).values() for _, labels in found)


def test_the_process_is_measured() -> None:
    registry = Registry()
    registry.add(ProcessCollector("worker-0", started=1234.5))
    found = page(registry)
    assert at(found, "plugbay_process_start_time_seconds", process="worker-0") == 1234.5
    assert at(found, "plugbay_process_cpu_seconds_total", process="worker-0") > 0
    assert at(found, "plugbay_process_resident_memory_bytes", process="worker-0") > 1 << 20
    assert at(found, "plugbay_process_open_fds", process="worker-0") >= 3
    assert at(found, "plugbay_process_max_fds", process="worker-0") > 3
