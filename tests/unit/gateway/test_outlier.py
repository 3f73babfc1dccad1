"""Passive ejection."""

from __future__ import annotations

from plugbay.gateway import OutlierDetection
from plugbay.gateway.upstream._outlier import OutlierDetector
from plugbay.gateway.upstream._targets import TargetState


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def detector(count: int, **spec: float) -> tuple[OutlierDetector, list[TargetState], HandClock]:
    states = [TargetState(f"t{n}:80") for n in range(count)]
    clock = HandClock()
    settings = {"failures": 3, "ejection": 10.0, "max_ejected": 0.5, **spec}
    return OutlierDetector(OutlierDetection(**settings), states, clock), states, clock  # type: ignore[arg-type]  # failures is an int


def fail(outlier: OutlierDetector, state: TargetState, times: int) -> list[bool]:
    return [outlier.failure(state) for _ in range(times)]


def test_failures_in_a_row_eject_for_a_while() -> None:
    outlier, (one, two), clock = detector(2)
    assert fail(outlier, one, 3) == [False, False, True]
    assert not one.usable(clock.now)
    assert two.usable(clock.now)
    clock.now += 10.0
    assert one.usable(clock.now)


def test_a_success_starts_the_count_anew() -> None:
    outlier, (one, _), clock = detector(2)
    fail(outlier, one, 2)
    outlier.success(one)
    assert fail(outlier, one, 2) == [False, False]
    assert one.usable(clock.now)


def test_one_that_rests_is_not_ejected_again_by_stragglers() -> None:
    outlier, (one, _), clock = detector(2)
    fail(outlier, one, 3)
    until = one.ejected_until
    clock.now += 5.0
    assert not any(fail(outlier, one, 6))
    assert one.ejected_until == until


def test_no_more_than_the_share_rest_at_once() -> None:
    outlier, states, clock = detector(4, max_ejected=0.5)
    ejected = [fail(outlier, state, 3)[-1] for state in states]
    assert ejected == [True, True, False, False]
    clock.now += 10.0
    assert fail(outlier, states[3], 1) == [True]


def test_one_may_rest_even_if_the_share_is_less_than_one() -> None:
    outlier, states, _ = detector(3, max_ejected=0.1)
    assert fail(outlier, states[0], 3)[-1]
    assert not fail(outlier, states[1], 3)[-1]


def test_the_last_usable_one_always_serves() -> None:
    outlier, (one, two), clock = detector(2, max_ejected=1.0)
    two.healthy = False
    assert not any(fail(outlier, one, 9))
    assert one.usable(clock.now)
    alone, (only,), _ = detector(1, max_ejected=1.0)
    assert not any(fail(alone, only, 9))


def test_zero_switches_it_off() -> None:
    outlier, (one, _), _ = detector(2, failures=0)
    assert not any(fail(outlier, one, 20))
