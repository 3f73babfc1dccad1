"""What a stopped generation has left behind."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from plugbay.kernel import Problem
from plugbay.runtimes._resources import Appeared

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["module", "class", "instance", "task", "thread", "descriptor"]

_REMEDY = {
    "task": "start it by host.spawn, or cancel it in stop",
    "thread": "end and join it in stop",
    "descriptor": "close it in stop",
}


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that was left, and what holds it."""

    kind: Kind
    what: str
    holder: str = ""

    def problem(self) -> Problem:
        """Return it as a problem of the plugin."""
        held = f", held by {self.holder}" if self.holder else ""
        remedy = _REMEDY.get(self.kind, "undo in stop what was registered outside the plugin")
        detail = f"the {self.kind} {self.what} is still there after stop{held}"
        return Problem("leak", detail, "nothing left after stop", self.what, remedy)


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What an audit found. `alive` says whether an object of the generation lives on."""

    plugin: str
    generation: int
    alive: bool = False
    leaks: tuple[Leak, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was left."""
        return not self.alive and not self.leaks

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The same as problems of the plugin."""
        return tuple(leak.problem() for leak in self.leaks)


@dataclass(frozen=True, slots=True)
class Remains:
    """Weak references to what a generation was made of, and what appeared while it started.

    `objects` has the instance first, then classes, then modules.
    """

    plugin: str
    generation: int
    alias: str
    objects: tuple[tuple[Kind, str, weakref.ref[Any]], ...] = ()
    appeared: Appeared = field(default_factory=Appeared)

    @property
    def gone(self) -> bool:
        """Whether all of it was collected."""
        return all(reference() is None for _, _, reference in self.objects)


def references(
    things: Iterable[tuple[Kind, str, object]],
) -> tuple[tuple[Kind, str, weakref.ref[Any]], ...]:
    """Return weak references to things, leaving out those that allow none."""
    made: list[tuple[Kind, str, weakref.ref[Any]]] = []
    for kind, name, value in things:
        try:
            made.append((kind, name, weakref.ref(value)))
        except TypeError:
            continue  # an instance of a class with __slots__; its class stands for it
    return tuple(made)
