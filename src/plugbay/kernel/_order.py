"""In which order a request passes the plugins, and why each one stands where it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.kernel._errors import DependencyProblem, Problem
from plugbay.kernel._topology import arrange, cycles
from plugbay.sdk import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.sdk import Order


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A plugin and where it asks to stand."""

    id: str
    order: Order


@dataclass(frozen=True, slots=True)
class Ordered:
    """A plugin in its place, and why it is there."""

    id: str
    why: str


def order_plugins(items: Iterable[OrderItem]) -> list[Ordered]:
    """Order by phase, then by `before` and `after`, then by priority, then by id.

    Names in `before` and `after` that are not among the items are ignored: they say how to stand
    to each other if both are there. Raises `DependencyProblem` for a cycle, for a constraint
    that contradicts the phases, and for an id that comes twice.
    """
    known: dict[str, Order] = {}
    problems: list[Problem] = []
    for item in items:
        if item.id in known:
            problems.append(Problem(f"/{item.id}", "is there twice"))
        known[item.id] = item.order
    after = _constraints(known, problems)
    problems += [_circular(cycle) for cycle in cycles(after)]
    if problems:
        raise DependencyProblem("the plugins cannot be put in order", problems=tuple(problems))
    ids = arrange(after, lambda id: (_phase(known[id]), known[id].priority, id))
    return [Ordered(id, _why(id, known, after[id])) for id in ids]


def _phase(order: Order) -> int:
    return PHASES.index(order.phase)


def _constraints(known: dict[str, Order], problems: list[Problem]) -> dict[str, set[str]]:
    """Return which ids each one must stand behind, phases included."""
    after: dict[str, set[str]] = {id: set() for id in known}
    for id, order in known.items():
        for word, names in (("after", order.after), ("before", order.before)):
            for name in names:
                if name not in known:
                    continue
                first, second = (name, id) if word == "after" else (id, name)
                if _phase(known[first]) > _phase(known[second]):
                    problems.append(_contradiction(id, word, name, known))
                else:
                    after[second].add(first)
    return _with_phases(known, after)


def _with_phases(known: dict[str, Order], after: dict[str, set[str]]) -> dict[str, set[str]]:
    """Add that every plugin of a phase stands behind all of the phases before."""
    for id, order in known.items():
        after[id] |= {name for name, other in known.items() if _phase(other) < _phase(order)}
    return after


def _contradiction(id: str, word: str, name: str, known: dict[str, Order]) -> Problem:
    return Problem(
        f"/{id}/order/{word}",
        f"asks to stand {word} {name}, but the phases say otherwise",
        expected=f"{name} in a phase that allows it",
        found=f"{id} in {known[id].phase}, {name} in {known[name].phase}",
        remedy="Change the phase of one of them, or drop the constraint.",
    )


def _circular(cycle: tuple[str, ...]) -> Problem:
    path = " behind ".join((*cycle, cycle[0]))
    return Problem(
        f"/{cycle[0]}/order",
        f"before and after make a circle: {path}",
        remedy="Drop one of these constraints.",
    )


def _why(id: str, known: dict[str, Order], behind: set[str]) -> str:
    order = known[id]
    parts = [f"phase {order.phase}"]
    same = sorted(name for name in behind if known[name].phase == order.phase)
    parts += [f"after {name}" for name in same]
    parts += [f"before {name}" for name in order.before if name in known]
    return ", ".join((*parts, f"priority {order.priority}"))
