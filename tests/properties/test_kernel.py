"""Properties of the kernel's pure pieces."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plugbay.kernel import (
    Backoff,
    CircuitBreaker,
    DependencyGraph,
    DependencyProblem,
    Difference,
    EventBus,
    OrderItem,
    RestartBudget,
    diff,
    order_plugins,
)
from plugbay.sdk import PHASES, Manifest, Order

RULES = settings(deadline=None, derandomize=True, max_examples=60)

IDS = st.sampled_from("abcdefgh")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 0.5]) | st.text("a/~0"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("a/~01"), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("ab/~0"), JSON, max_size=5)


class SteppedClock:
    """Moves by what is added to `now`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


# Order

ORDERS = st.builds(
    Order,
    phase=st.sampled_from(PHASES),
    priority=st.integers(0, 3),
    before=st.lists(IDS, max_size=2).map(tuple),
    after=st.lists(IDS, max_size=2).map(tuple),
)


@RULES
@given(st.dictionaries(IDS, ORDERS))
def test_every_constraint_holds_or_the_order_is_refused(orders: dict[str, Order]) -> None:
    try:
        ordered = order_plugins(OrderItem(id, order) for id, order in orders.items())
    except DependencyProblem:
        assert any(order.before or order.after for order in orders.values())
        return
    place = {item.id: index for index, item in enumerate(ordered)}
    assert set(place) == set(orders)
    phases = [PHASES.index(orders[item.id].phase) for item in ordered]
    assert phases == sorted(phases)
    for id, order in orders.items():
        assert all(place[id] < place[other] for other in order.before if other in place)
        assert all(place[id] > place[other] for other in order.after if other in place)


@RULES
@given(st.dictionaries(IDS, st.integers(0, 3)), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_of_the_items(
    priorities: dict[str, int], random: Any
) -> None:
    items = [OrderItem(id, Order(priority=number)) for id, number in priorities.items()]
    once = order_plugins(items)
    random.shuffle(items)
    assert order_plugins(items) == once
    assert [item.id for item in once] == sorted(priorities, key=lambda id: (priorities[id], id))


# Graph


def graph(needs: dict[str, set[str]]) -> DependencyGraph:
    return DependencyGraph(
        Manifest(
            id=id,
            version="1",
            api=1,
            runtime="python",
            entry="a:B",
            requires=dict.fromkeys(sorted(others), ""),
        )
        for id, others in needs.items()
    )


@RULES
@given(st.dictionaries(IDS, st.sets(IDS, max_size=3)))
def test_starts_come_behind_what_they_need_or_there_is_a_cycle(needs: dict[str, set[str]]) -> None:
    plugins = graph(needs)
    missing = sum(len(others - needs.keys()) for others in needs.values())
    assert len(plugins.problems()) == missing + len(plugins.cycles())
    for cycle in plugins.cycles():
        for id, other in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert other in needs[id]
    try:
        order = plugins.start_order()
    except DependencyProblem:
        assert plugins.cycles()
        return
    assert sorted(order) == sorted(needs)
    for id, others in needs.items():
        assert all(order.index(other) < order.index(id) for other in others & needs.keys())


@RULES
@given(st.dictionaries(IDS, st.sets(IDS, max_size=3), min_size=1), st.data())
def test_dependents_are_who_would_miss_it(needs: dict[str, set[str]], data: st.DataObject) -> None:
    plugins = graph(needs)
    id = data.draw(st.sampled_from(sorted(needs)))
    direct = plugins.dependents(id, transitive=False)
    assert set(direct) == {other for other, wants in needs.items() if id in wants} - {id}
    assert set(direct) <= set(plugins.dependents(id))


# Config


def patched(document: Any, differences: tuple[Difference, ...]) -> Any:
    """Apply differences as RFC 6902 does, written independently of the kernel."""
    document = copy.deepcopy(document)
    for difference in differences:
        if not difference.pointer:
            document = difference.new
            continue
        steps = difference.pointer[1:].split("/")
        keys = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        place = document
        for key in keys[:-1]:
            place = place[int(key) if isinstance(place, list) else key]
        last: Any = int(keys[-1]) if isinstance(place, list) else keys[-1]
        if difference.op == "remove":
            del place[last]
        elif difference.op == "add" and isinstance(place, list):
            place.insert(last, difference.new)
        else:
            place[last] = difference.new
    return document


@RULES
@given(JSON, JSON)
def test_differences_lead_from_old_to_new(old: Any, new: Any) -> None:
    assert repr(_sorted(patched(old, diff(old, new)))) == repr(_sorted(new))
    assert diff(new, new) == ()


def _sorted(value: Any) -> Any:
    """Make `repr` tell True from 1 from 1.0, and nothing of the order of keys."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


# Events


@RULES
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["a", "a.b", "b"]), st.booleans()), max_size=30),
)
def test_queues_are_bounded_and_what_is_dropped_is_the_oldest(
    size: int, moves: list[tuple[str, bool]]
) -> None:
    bus = EventBus(SteppedClock(), queue=size)
    heard = bus.subscribe("a*", name="x")
    expected: list[int] = []
    lost = 0
    for number, (topic, read) in enumerate(moves):
        bus.publish(topic, "me", {"n": number})
        if topic.startswith("a"):
            expected.append(number)
            if len(expected) > size:
                lost += 1
                del expected[0]
        if read and expected:
            assert _next(heard).data["n"] == expected.pop(0)
        assert len(heard) == len(expected) <= size
        assert heard.dropped == lost


def _next(subscription: Any) -> Any:
    """Read an event that is there already, without a loop."""
    reading = subscription.__anext__()
    try:
        reading.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited although an event was there")


# Breaker and backoff

MOVES = st.lists(
    st.tuples(st.sampled_from(["success", "failure", "nothing"]), st.floats(0, 8)), max_size=60
)


@RULES
@given(MOVES)
def test_the_breaker_only_goes_where_it_may(moves: list[tuple[str, float]]) -> None:
    clock = SteppedClock()
    breaker = CircuitBreaker(clock, failures=3, ratio=0.5, window=10, rest=5)
    opened_at = 0.0
    for result, pause in moves:
        clock.now += pause
        before = breaker.state
        allowed = breaker.allow()
        assert breaker.closed == (breaker.state == "closed")
        if before == "open":
            assert allowed == (clock.now - opened_at >= 5)
        if before == "closed":
            assert allowed
        if not allowed:
            continue
        asked = breaker.state
        if result != "nothing":
            getattr(breaker, result)()
        if breaker.state == "open":
            assert result == "failure"
            opened_at = clock.now
        if asked == "half-open" and result != "nothing":
            assert breaker.state == {"success": "closed", "failure": "open"}[result]


@RULES
@given(MOVES)
def test_it_opens_only_for_enough_recent_failures(moves: list[tuple[str, float]]) -> None:
    clock = SteppedClock()
    breaker = CircuitBreaker(clock, failures=3, ratio=0.5, window=10)
    failures: list[float] = []
    for result, pause in moves:
        clock.now += pause
        if result == "success":
            breaker.success()
        elif result == "failure":
            breaker.failure()
            failures.append(clock.now)
        if not breaker.closed:
            assert len([at for at in failures if clock.now - at <= 10]) >= 3
            return
        # What fails without a success within half a window must have opened it.
        assert len([at for at in failures if clock.now - at < 5]) < 3 or breaker_had_success(moves)


def breaker_had_success(moves: list[tuple[str, float]]) -> bool:
    return any(result == "success" for result, _ in moves)


@RULES
@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(1, 1e6))
def test_delays_stay_in_their_bounds(
    attempt: int, chance: float, jitter: float, factor: float
) -> None:
    class Fixed:
        def random(self) -> float:
            return chance

    delay = Backoff(Fixed(), first=0.5, factor=factor, ceiling=60, jitter=jitter).delay(attempt)
    assert 0.5 * (1 - jitter) <= delay <= 60 * 1.000001


@RULES
@given(st.integers(0, 4), st.lists(st.floats(0, 6), max_size=40))
def test_no_window_sees_more_restarts_than_the_budget(allowed: int, pauses: list[float]) -> None:
    clock = SteppedClock()
    budget = RestartBudget(clock, restarts=allowed, window=10)
    spent: list[float] = []
    for pause in pauses:
        clock.now += pause
        recent = [at for at in spent if at > clock.now - 10]
        assert budget.left == allowed - len(recent)
        if budget.spend():
            spent.append(clock.now)
        else:
            assert len(recent) == allowed
