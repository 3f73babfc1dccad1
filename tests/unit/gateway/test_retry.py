"""The retry budget."""

from __future__ import annotations

from plugbay.gateway import Retries
from plugbay.gateway.upstream._retry import IDEMPOTENT, RetryBudget


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.5

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def budget(share: float, minimum: float) -> tuple[RetryBudget, HandClock]:
    clock = HandClock()
    return RetryBudget(Retries(budget=share, minimum=minimum), clock), clock


def spend(tokens: RetryBudget, most: int) -> int:
    return sum(tokens.spend() for _ in range(most))


def test_the_minimum_is_there_without_any_request() -> None:
    tokens, _ = budget(0.2, 0.5)
    assert spend(tokens, 20) == 5
    assert tokens.spent == 5


def test_retries_are_a_share_of_the_requests() -> None:
    tokens, _ = budget(0.2, 0.0)
    assert spend(tokens, 1) == 0
    for _ in range(100):
        tokens.request()
    assert spend(tokens, 100) == 20


def test_requests_and_retries_leave_the_window_after_ten_seconds() -> None:
    tokens, clock = budget(0.5, 0.0)
    for _ in range(10):
        tokens.request()
    assert spend(tokens, 10) == 5
    clock.now += 9.0
    for _ in range(4):
        tokens.request()
    assert spend(tokens, 10) == 2
    clock.now += 1.0
    # The first ten requests and their five retries are gone; four and two are left.
    assert spend(tokens, 10) == 0
    for _ in range(2):
        tokens.request()
    assert spend(tokens, 10) == 1


def test_a_long_silence_empties_the_window() -> None:
    tokens, clock = budget(1.0, 0.0)
    for _ in range(50):
        tokens.request()
    clock.now += 1_000_000.0
    assert spend(tokens, 10) == 0


def test_no_budget_means_no_retry() -> None:
    tokens, _ = budget(0.0, 0.0)
    for _ in range(1000):
        tokens.request()
    assert spend(tokens, 10) == 0


def test_only_idempotent_methods_are_named() -> None:
    assert {b"POST", b"PATCH", b"CONNECT"}.isdisjoint(IDEMPOTENT)
    assert {b"GET", b"PUT", b"DELETE"} <= IDEMPOTENT
