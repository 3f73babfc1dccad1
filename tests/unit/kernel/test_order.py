import pytest

from plugbay.kernel import DependencyProblem, OrderItem, order_plugins
from plugbay.sdk import Order


def ids(*items):
    return [ordered.id for ordered in order_plugins(OrderItem(id, order) for id, order in items)]


def test_phases_come_first_then_priority_then_id():
    assert ids(
        ("last", Order(phase="pre-response", priority=1)),
        ("b", Order(priority=5)),
        ("a", Order(priority=5)),
        ("low", Order(priority=1)),
        ("first", Order(phase="pre-routing", priority=999)),
    ) == ["first", "low", "a", "b", "last"]


def test_constraints_beat_priority():
    assert ids(
        ("a", Order(priority=1, after=("b",))),
        ("b", Order(priority=2)),
        ("c", Order(priority=3, before=("b",))),
    ) == ["c", "b", "a"]


def test_each_place_is_explained():
    found = order_plugins(
        [
            OrderItem("a", Order(after=("b", "absent"), before=("c",))),
            OrderItem("b", Order(phase="pre-routing")),
            OrderItem("c", Order(priority=1)),
        ]
    )
    assert [(item.id, item.why) for item in found] == [
        ("b", "phase pre-routing, priority 500"),
        ("a", "phase post-routing, before c, priority 500"),
        ("c", "phase post-routing, after a, priority 1"),
    ]


def test_names_that_are_not_there_are_ignored():
    assert ids(("a", Order(after=("ghost",), before=("ghost",)))) == ["a"]


def problems(*items):
    with pytest.raises(DependencyProblem) as caught:
        ids(*items)
    return caught.value.problems


def test_a_cycle_is_refused_and_shown():
    found = problems(
        ("a", Order(after=("b",))), ("b", Order(after=("c",))), ("c", Order(after=("a",)))
    )
    assert len(found) == 1
    assert "a behind b behind c behind a" in found[0].detail


def test_a_plugin_cannot_stand_behind_itself():
    assert len(problems(("a", Order(after=("a",))))) == 1


def test_a_constraint_against_the_phases_is_refused():
    (found,) = problems(
        ("early", Order(phase="pre-routing", after=("late",))),
        ("late", Order(phase="pre-response")),
    )
    assert found.pointer == "/early/order/after"
    assert found.found == "early in pre-routing, late in pre-response"


def test_an_id_that_comes_twice_is_refused():
    assert problems(("a", Order()), ("a", Order()))[0].detail == "is there twice"


def test_every_problem_is_reported_at_once():
    found = problems(
        ("a", Order(after=("b",))),
        ("b", Order(after=("a",))),
        ("x", Order(after=("y",))),
        ("y", Order(after=("x",))),
        ("early", Order(phase="pre-routing", after=("a",))),
    )
    assert len(found) == 3
