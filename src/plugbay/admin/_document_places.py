"""Where in a document a problem is that was found in what would become of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid
from plugbay.mcp.serving import McpSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.admin._document import Document
    from plugbay.kernel import Problem


def placed(problem: Problem, document: Document) -> Problem:
    """Put the place in the document for the name; what it does not have keeps its name."""
    mcp = document.mcp or McpSpec()
    kinds: dict[str, Sequence[str]] = {
        "/routes/": [one.name for one in document.routes],
        "/upstreams/": [one.name for one in document.upstreams],
        "/plugins/": [one.id for one in document.plugins],
        "/mcp/servers/": [one.name for one in mcp.servers],
        "/mcp/federations/": [one.name for one in mcp.federations],
    }
    for kind, names in kinds.items():
        if problem.pointer.startswith(kind):
            escaped, *rest = problem.pointer.removeprefix(kind).split("/")
            name = escaped.replace("~1", "/").replace("~0", "~")
            place = str(names.index(name)) if name in names else escaped
            return replace(problem, pointer=kind + "/".join((place, *rest)))
    return problem


def refused(problems: Sequence[Problem], document: Document) -> Invalid:
    """Return the refusal of a document, with everything that is wrong."""
    found = tuple(placed(one, document) for one in problems)
    more = "; ".join(f"{one.pointer}: {one.detail}" for one in found)
    return Invalid(f"the document is not valid: {more}", problems=found)
