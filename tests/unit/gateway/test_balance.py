"""Which target takes a request."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, get_args

import pytest

from plugbay.gateway._spec import Balance
from plugbay.gateway.upstream._balance import create_balancer
from plugbay.gateway.upstream._targets import TargetState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.gateway.upstream._balance import Balancer


class StillClock:
    """A clock that stands at 100 s."""

    def monotonic(self) -> float:
        return 100.0

    def time(self) -> float:
        return 100.0


def targets(*weights: int) -> list[TargetState]:
    return [TargetState(f"10.0.0.{n}:80", weight) for n, weight in enumerate(weights, 1)]


def balancer(kind: Balance, states: Sequence[TargetState], seed: int = 1) -> Balancer:
    return create_balancer(kind, states, StillClock(), random.Random(seed))  # noqa: S311  (a test)


def names(picks: Sequence[TargetState]) -> str:
    return "".join("abcdefgh"[int(t.address.split(".")[3].split(":")[0]) - 1] for t in picks)


KINDS: tuple[Balance, ...] = get_args(Balance)


def test_round_robin_takes_each_in_turn() -> None:
    choice = balancer("round-robin", targets(1, 1, 1))
    assert names([choice.pick() for _ in range(7)]) == "abcabca"


def test_weighted_spreads_the_heavy_one_evenly() -> None:
    choice = balancer("weighted", targets(5, 1, 1))
    assert names([choice.pick() for _ in range(14)]) == "aabacaa" * 2


def test_weight_zero_takes_nothing_unless_there_is_no_other() -> None:
    states = targets(0, 2)
    choice = balancer("weighted", states)
    assert names([choice.pick() for _ in range(4)]) == "bbbb"
    states[1].healthy = False
    assert choice.pick() is states[0]
    assert balancer("consistent-hash", targets(0)).pick(b"k").address == "10.0.0.1:80"


def test_least_requests_takes_the_less_busy_of_two() -> None:
    states = targets(1, 1)
    states[0].in_flight = 5
    choice = balancer("least-requests", states)
    assert names([choice.pick() for _ in range(20)]) == "b" * 20


def test_least_requests_breaks_ties_evenly() -> None:
    choice = balancer("least-requests", targets(1, 1, 1, 1))
    counts = Counter(names([choice.pick() for _ in range(4000)]))
    assert len(counts) == 4
    assert all(850 < count < 1150 for count in counts.values())


def test_least_requests_reckons_with_weights() -> None:
    states = targets(4, 1)
    states[0].in_flight, states[1].in_flight = 4, 2
    choice = balancer("least-requests", states)
    assert names([choice.pick() for _ in range(10)]) == "a" * 10


def test_least_requests_never_takes_the_busiest_of_many() -> None:
    states = targets(*[1] * 5)
    states[2].in_flight = 9
    choice = balancer("least-requests", states)
    assert states[2] not in [choice.pick() for _ in range(500)]


@pytest.mark.parametrize("kind", KINDS)
def test_those_that_cannot_serve_are_passed_over(kind: Balance) -> None:
    states = targets(1, 1, 1, 1)
    states[0].healthy = False
    states[1].ejected_until = 100.1
    states[2].ejected_until = 100.0
    choice = balancer(kind, states)
    picked = {choice.pick(b"%d" % n).address for n in range(200)}
    assert picked == {"10.0.0.3:80", "10.0.0.4:80"}


@pytest.mark.parametrize("kind", KINDS)
def test_with_none_healthy_all_are_tried(kind: Balance) -> None:
    states = targets(1, 1, 1)
    for state in states:
        state.healthy = False
    choice = balancer(kind, states)
    assert len({choice.pick(b"%d" % n).address for n in range(200)}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_goes_elsewhere_if_it_can(kind: Balance) -> None:
    states = targets(1, 1, 1)
    choice = balancer(kind, states)
    assert all(choice.pick(b"%d" % n, states[:2]) is states[2] for n in range(50))
    states[2].healthy = False
    assert all(choice.pick(b"%d" % n, states[:2]) is states[2] for n in range(50))
    assert choice.pick(b"k", states) in states


@pytest.mark.parametrize("kind", KINDS)
def test_one_target_takes_everything(kind: Balance) -> None:
    states = targets(1)
    assert balancer(kind, states).pick(b"k") is states[0]


def test_there_is_no_balancer_over_nothing() -> None:
    with pytest.raises(ValueError, match="at least one"):
        balancer("round-robin", [])


def test_a_hash_is_the_same_in_every_process() -> None:
    choice = balancer("consistent-hash", targets(1, 1, 1, 1))
    picked = names([choice.pick(b"client-%d" % n) for n in range(16)])
    again = balancer("consistent-hash", targets(1, 1, 1, 1), seed=2)
    assert names([again.pick(b"client-%d" % n) for n in range(16)]) == picked
    # Pinned: another figure here means that an upgrade moves clients to other targets.
    assert picked == "abdcbadbccdcbbca"


def test_a_hash_spreads_by_weight() -> None:
    choice = balancer("consistent-hash", targets(1, 1, 2))
    counts = Counter(names([choice.pick(b"k%d" % n) for n in range(8000)]))
    assert 1500 < counts["a"] < 2500
    assert 1500 < counts["b"] < 2500
    assert 3400 < counts["c"] < 4600


@pytest.mark.parametrize("how", ["removed", "unhealthy"])
def test_only_the_keys_of_a_target_that_leaves_move(how: str) -> None:
    states = targets(*[1] * 8)
    keys = [b"key-%d" % n for n in range(8000)]
    choice = balancer("consistent-hash", states)
    before = [choice.pick(key).address for key in keys]
    gone = states[3]
    if how == "removed":
        choice = balancer("consistent-hash", [t for t in states if t is not gone])
    else:
        gone.healthy = False
    after = [choice.pick(key).address for key in keys]
    moved = [old for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {gone.address}
    assert len(moved) < len(keys) / 8 * 1.3
    heirs = {new for old, new in zip(before, after, strict=True) if old == gone.address}
    assert len(heirs) == 7


def test_a_ring_of_very_many_stays_small_and_moves_little() -> None:
    keys = [b"key-%d" % n for n in range(2000)]
    full = targets(*[1] * 200)
    one_less = [t for t in full if t.address != "10.0.0.50:80"]
    before, after = balancer("consistent-hash", full), balancer("consistent-hash", one_less)
    moved = sum(before.pick(key).address != after.pick(key).address for key in keys)
    assert moved < len(keys) * 0.04


def test_a_target_says_how_it_is() -> None:
    state = TargetState("a:80")
    assert repr(state) == "<TargetState a:80 [healthy, 0 in flight]>"
    state.healthy, state.in_flight = False, 2
    assert repr(state) == "<TargetState a:80 [unhealthy, 2 in flight]>"
