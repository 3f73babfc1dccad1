"""Points of what went through, made from totals."""

from __future__ import annotations

import pytest

from plugbay.observability import History, Registry
from plugbay.observability._history import quantile


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_000_000


def test_rates_are_differences_of_totals_over_time() -> None:
    clock, registry = Clock(), Registry()
    history = History(clock)
    series = registry.plugin("hello", "1.0.0", "post-routing")
    series.passed = 1000
    history.sample(registry.collect())
    assert history.plugin("hello") == ()
    series.passed, series.answered, series.failed, series.skipped = 1040, 8, 2, 500
    for _ in range(50):
        series.duration.observe(0.00003)
    registry.plugin("hello", "1.1.0", "pre-routing").passed = 10
    gauge = registry.gauge("plugbay_plugin_inflight", "Requests.", ("plugin",))
    gauge.value("hello").set(3)
    clock.now += 5
    history.sample(registry.collect())
    (point,) = history.plugin("hello")
    assert (point.time, point.requests, point.errors) == (1_001_005, 12.0, 0.4)
    assert (point.answered, point.in_flight) == (1.6, 3)
    assert point.p99 == pytest.approx(0.00005, rel=0.02)
    clock.now += 5
    history.sample(registry.collect())
    assert history.plugin("hello")[-1].requests == 0
    assert history.plugin("hello")[-1].p99 is None


def test_the_gateway_counts_what_got_no_good_response() -> None:
    clock, registry = Clock(), Registry()
    history = History(clock)
    route = registry.route("all")
    history.sample(registry.collect())
    assert history.gateway() == ()
    for status, seconds in ((200, 0.002), (404, 0.002), (502, 0.002), (0, 0.2)):
        route.count("GET", status, seconds, 0, 0)
    route.in_flight = 2
    clock.now += 2
    history.sample(registry.collect())
    (point,) = history.gateway()
    assert (point.requests, point.errors, point.in_flight) == (2.0, 1.0, 2)
    assert point.p99 is not None
    assert 0.1 < point.p99 <= 0.25


def test_it_is_bounded() -> None:
    clock, registry = Clock(), Registry()
    history = History(clock, points=3, plugins=2)
    for round in range(10):
        for id in ("one", "two", "three"):
            registry.plugin(id, "1", "post-routing").passed += round
        registry.route("all").count("GET", 200, 0.001, 0, 0)
        clock.now += 5
        history.sample(registry.collect())
    kept = [id for id in ("one", "two", "three") if history.plugin(id)]
    assert len(kept) <= 2
    assert all(len(history.plugin(id)) <= 3 for id in kept)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([0, 0, 0], None), ([100, 0, 0], 0.99), ([0, 100, 0], 1.99), ([0, 0, 5], 2.0)],
)
def test_a_quantile_lies_in_its_bucket(counts: list[int], expected: float | None) -> None:
    assert quantile(0.99, (1.0, 2.0), counts) == expected
