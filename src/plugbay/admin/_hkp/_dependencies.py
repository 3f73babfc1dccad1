"""Who needs whom: as JSON, and as text for Graphviz and Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.admin._hkp._judge import state_of
from plugbay.admin._hkp._shapes import Dependencies, Edge, Node
from plugbay.admin._hkp._times import moment
from plugbay.kernel import DependencyGraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugbay.admin._status import PluginView
    from plugbay.sdk import Manifest


def dependencies(
    views: Iterable[PluginView], manifests: Mapping[str, Manifest], now: float
) -> Dependencies:
    """Return the graph of all plugins; what is needed and not there is a node too."""
    known = {view.id: view for view in views}
    graph = DependencyGraph(manifests.values())
    problems, cycles = graph.problems(), graph.cycles()
    unmet = {problem.pointer for problem in problems}
    edges = [
        Edge(
            source=id,
            target=name,
            requires=specifier,
            satisfied=f"/{id}/requires/{name}" not in unmet,
        )
        for id, manifest in sorted(manifests.items())
        for name, specifier in sorted(manifest.requires.items())
    ]
    nodes = [
        Node(
            id=id,
            version=view.desired.version,
            state=state_of(view),
            enabled=view.desired.enabled,
        )
        for id, view in sorted(known.items())
    ]
    missing = sorted({edge.target for edge in edges} - known.keys())
    nodes += [Node(id=id, version="", state="missing", enabled=False) for id in missing]
    return Dependencies(
        nodes=nodes,
        edges=edges,
        order=[] if cycles else graph.start_order(),
        cycles=cycles,
        problems=[f"{problem.pointer}: {problem.detail}" for problem in problems],
        timestamp=moment(now),
    )


def as_dot(graph: Dependencies) -> str:
    """Return the graph in Graphviz' language (DOT)."""
    lines = ["digraph plugins {", "  rankdir=LR;", "  node [shape=box];"]
    for node in graph.nodes:
        style = "" if node.enabled else " style=dashed"
        lines.append(f"  {_quoted(node.id)} [label={_quoted(_label(node))}{style}];")
    for edge in graph.edges:
        style = "" if edge.satisfied else " color=red style=dashed"
        ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
        lines.append(f"  {ends} [label={_quoted(edge.requires)}{style}];")
    return "\n".join((*lines, "}", ""))


def as_mermaid(graph: Dependencies) -> str:
    """Return the graph as a Mermaid flowchart. The nodes have numbers: some ids are keywords."""
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f'  {names[node.id]}["{_entities(_label(node))}"]' for node in graph.nodes]
    for edge in graph.edges:
        arrow = "-->" if edge.satisfied else "-.->"
        label = f'|"{_entities(edge.requires)}"|' if edge.requires else ""
        lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join((*lines, ""))


def _label(node: Node) -> str:
    return " ".join(part for part in (node.id, node.version, f"({node.state})") if part)


def _quoted(text: str) -> str:
    """A string of DOT: a manifest's text must not end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _entities(text: str) -> str:
    """Text in a quoted label of Mermaid: anything but plain characters by its number."""
    plain = " .,-_=~!()"
    return "".join(
        one if (one.isascii() and one.isalnum()) or one in plain else f"#{ord(one)};"
        for one in text
    )
