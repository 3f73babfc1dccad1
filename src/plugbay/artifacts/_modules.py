"""The modules of a wheel as syntax trees, and what their top-level names stand for.

Nothing is imported or executed.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SDK = "plugbay.sdk"
_HOPS = 20
"""Re-exports that are followed at most."""


@dataclass(frozen=True, slots=True)
class Module:
    """One module. `names` maps top-level names to a class, an imported name, or None: else."""

    name: str
    path: str
    tree: ast.Module
    names: dict[str, ast.ClassDef | str | None] = field(
        default_factory=dict[str, "ast.ClassDef | str | None"]
    )
    open: bool = False
    """Whether it may have names that cannot be seen: a star import or `__getattr__`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a name stands for: a class of the wheel, or a name of the sdk, or neither."""

    module: Module | None = None
    class_: ast.ClassDef | None = None
    sdk: str = ""
    exists: bool = True


def parse_modules(sources: Mapping[str, bytes]) -> tuple[dict[str, Module], list[Finding]]:
    """Parse every source; return the modules by dotted name, and each syntax error."""
    modules: dict[str, Module] = {}
    findings: list[Finding] = []
    for path, source in sources.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source, path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            findings.append(_unreadable(path, error))
            continue
        name, package = _dotted(path)
        names = dict(_bindings(tree, name if package else name.rpartition(".")[0]))
        hidden = "*" in names or "__getattr__" in names
        modules[name] = Module(name, path, tree, names, hidden)
    return modules, findings


def resolve(modules: Mapping[str, Module], module: str, dotted: str) -> Found:
    """Return what `dotted` stands for at the top level of `module`, through re-exports."""
    full = f"{module}.{dotted}"
    for _ in range(_HOPS):
        if full.startswith(f"{SDK}."):
            return Found(sdk=full.removeprefix(f"{SDK}.").rpartition(".")[2])
        owner, rest = _owner(modules, full)
        if owner is None:
            return Found()
        head, _, tail = rest.partition(".")
        if head not in owner.names:
            return Found(exists=owner.open)
        value = owner.names[head]
        if isinstance(value, str):
            full = f"{value}.{tail}" if tail else value
        else:
            return Found(owner, None if tail else value)
    return Found()


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` for such an expression, without its subscript; else an empty text."""
    if isinstance(node, ast.Subscript):
        node = node.value
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def imports(node: ast.stmt, package: str) -> Iterator[tuple[str, str]]:
    """Yield the local name and the full name of each name that a statement imports."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
        for alias in node.names:
            yield alias.asname or alias.name, f"{base}.{alias.name}"


def _bindings(tree: ast.Module, package: str) -> Iterator[tuple[str, ast.ClassDef | str | None]]:
    """Yield the top-level names in order, also those below `if` and `try`."""
    pending: list[ast.stmt] = list(reversed(tree.body))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ClassDef):
            yield node.name, node
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imports(node, package)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    pending.append(child)
                elif isinstance(child, ast.ExceptHandler):
                    pending.extend(child.body)
                elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                    yield child.id, None


def _owner(modules: Mapping[str, Module], full: str) -> tuple[Module | None, str]:
    """Return the longest module of the wheel that `full` begins with, and the rest."""
    name, rest = full, ""
    while name:
        if name in modules and rest:
            return modules[name], rest
        name, _, last = name.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    return None, ""


def _dotted(path: str) -> tuple[str, bool]:
    name = path.removesuffix(".py").replace("/", ".")
    if name.endswith(".__init__"):
        return name.removesuffix(".__init__"), True
    return name, False


def _unreadable(path: str, error: Exception) -> Finding:
    where = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) else path
    what = error.msg if isinstance(error, SyntaxError) else (str(error) or type(error).__name__)
    return Finding(
        "static",
        f"{where}: this Python cannot read it",
        expected="valid source",
        found=what[:200],
        remedy="correct the source, or run the gateway on the Python it is written for",
    )
