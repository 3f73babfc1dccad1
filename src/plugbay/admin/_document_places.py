"""Where in a document a problem is that was found in what would become of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.kernel import Problem

    Names = Mapping[str, Sequence[str]]
    """What stands in a document, in its order, by the pointer to its list."""


def placed(problem: Problem, document: Names) -> Problem:
    """Put the place in the document for the name; what it does not have keeps its name."""
    for kind, names in document.items():
        if problem.pointer.startswith(kind):
            escaped, *rest = problem.pointer.removeprefix(kind).split("/")
            name = escaped.replace("~1", "/").replace("~0", "~")
            place = str(names.index(name)) if name in names else escaped
            return replace(problem, pointer=kind + "/".join((place, *rest)))
    return problem


def refused(problems: Sequence[Problem], document: Names) -> Invalid:
    """Return the refusal of a document, with everything that is wrong."""
    found = tuple(placed(one, document) for one in problems)
    more = "; ".join(f"{one.pointer}: {one.detail}" for one in found)
    return Invalid(f"the document is not valid: {more}", problems=found)
