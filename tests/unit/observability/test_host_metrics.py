"""The metrics that a plugin declares itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from plugbay.observability import HostMetrics, Registry, render_prometheus
from unit.observability.exposition import at, parse

if TYPE_CHECKING:
    from plugbay import sdk


def metrics() -> tuple[Registry, sdk.Metrics]:
    """A registry, and what a plugin sees of it: it fulfils the sdk's protocol."""
    registry = Registry()
    return registry, HostMetrics(registry, "rate-limit", "1.2.0")


OWNER = {"plugin": "rate-limit", "version": "1.2.0"}


def test_names_and_labels_say_whose_they_are() -> None:
    registry, own = metrics()
    own.counter("refused_total", "Refused.", ("reason",)).inc(reason="limit")
    own.counter("refused_total", "Refused.", ("reason",)).inc(2, reason="limit")
    own.gauge("clients", "Clients.").set(4)
    own.gauge("clients", "Clients.").set(5)
    own.histogram("wait_seconds", "Wait.", buckets=(1, 2)).observe(1.5)
    own.histogram("wait_seconds", "Wait.", buckets=(1, 2)).observe(0.5)
    own.histogram("default_seconds", "With a request's buckets.").observe(0.003)
    found = parse(render_prometheus(registry.collect()).decode())
    prefix = "plugbay_plugin_rate_limit_"
    assert at(found, f"{prefix}refused_total", reason="limit", **OWNER) == 3
    assert at(found, f"{prefix}clients", **OWNER) == 5
    assert at(found, f"{prefix}wait_seconds_bucket", le="1.0", **OWNER) == 1
    assert at(found, f"{prefix}wait_seconds_count", **OWNER) == 2
    assert at(found, f"{prefix}default_seconds_bucket", le="0.005", **OWNER) == 1


def test_two_versions_count_side_by_side() -> None:
    registry = Registry()
    for version in ("1", "2"):
        HostMetrics(registry, "a", version).counter("x_total", "X.").inc()
    HostMetrics(registry, "a", "3").counter("x_total", "X.", ("more",)).inc(more="m")
    found = parse(render_prometheus(registry.collect()).decode())
    name = "plugbay_plugin_a_x_total"
    assert at(found, name, plugin="a", version="1") == 1
    assert at(found, name, plugin="a", version="2") == 1
    assert at(found, name, plugin="a", version="3", more="m") == 1


def test_label_sets_are_bounded() -> None:
    registry, own = metrics()
    counter = own.counter("seen_total", "Seen.", ("client",))
    for number in range(1000):
        counter.inc(client=f"10.0.0.{number}")
    counter.inc(client="10.0.0.3")
    found = parse(render_prometheus(registry.collect()).decode())
    name = "plugbay_plugin_rate_limit_seen_total"
    assert sum(1 for key in found if key[0] == name) == 201
    assert at(found, name, client="overflow", **OWNER) == 800
    assert at(found, name, client="10.0.0.3", **OWNER) == 2
    assert at(found, "plugbay_metrics_overflow_total", family=name) == 800


def test_long_label_values_are_cut() -> None:
    registry, own = metrics()
    gauge = own.gauge("g", "G.", ("x",))
    gauge.set(1, x="y" * 10_000)
    gauge.set(2, x="y" * 20_000)
    found = parse(render_prometheus(registry.collect()).decode())
    assert at(found, "plugbay_plugin_rate_limit_g", x="y" * 128, **OWNER) == 2


@pytest.mark.parametrize("labels", [{}, {"b": "1"}, {"a": "1", "b": "2"}])
def test_exactly_the_declared_labels_are_wanted(labels: dict[str, str]) -> None:
    _, own = metrics()
    with pytest.raises(ValueError, match="expected the labels"):
        own.counter("c_total", "C.", ("a",)).inc(**labels)


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf])
def test_a_counter_only_grows(amount: float) -> None:
    _, own = metrics()
    with pytest.raises(ValueError, match="only grows"):
        own.counter("c_total", "C.").inc(amount)


def test_a_histogram_takes_numbers_and_few_finite_buckets() -> None:
    _, own = metrics()
    with pytest.raises(ValueError, match="not a number"):
        own.histogram("h", "H.").observe(math.nan)
    with pytest.raises(ValueError, match="finite buckets"):
        own.histogram("i", "I.", buckets=(1, math.inf))
    with pytest.raises(ValueError, match="finite buckets"):
        own.histogram("j", "J.", buckets=range(41))


def test_one_name_is_one_kind() -> None:
    _, own = metrics()
    own.counter("x_total", "X.")
    with pytest.raises(ValueError, match="declared already"):
        own.gauge("x_total", "X.")
    with pytest.raises(ValueError, match="declared already"):
        own.histogram("x_total", "X.")


def test_a_plugin_has_a_bounded_number_of_metrics() -> None:
    _, own = metrics()
    for number in range(50):
        own.gauge(f"g{number}", "G.")
    with pytest.raises(ValueError, match="at most 50 metrics"):
        own.counter("one_too_many_total", "C.")


def test_a_plugin_cannot_write_into_the_gateways_families() -> None:
    own = HostMetrics(Registry(), "requests", "1")
    with pytest.raises(ValueError, match="the gateway's own"):
        own.counter("total", "Forged.")


def test_a_wrong_name_is_refused_and_leaves_nothing() -> None:
    registry, own = metrics()
    with pytest.raises(ValueError, match="not a metric name"):
        own.counter("a b_total", "C.")
    assert registry.collect() == []
