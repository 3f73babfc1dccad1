"""The entry class, judged by its source: its bases, its hooks and what they call."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.artifacts._blocking import blocking_calls
from plugbay.artifacts._finding import Finding, Severity
from plugbay.artifacts._modules import dotted_name, resolve
from plugbay.artifacts._signatures import (
    CAPABILITIES,
    Function,
    HookShape,
    hook_shapes,
    misfits,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plugbay.artifacts._modules import Module

_LIFECYCLE = frozenset({"start", "stop", "health"})
_BODIES = frozenset({"request_body", "response_body"})


@dataclass(slots=True)
class Lineage:
    """A class with its bases in the wheel, the sdk's bases, and whether that is all."""

    classes: list[tuple[Module, ast.ClassDef]] = field(
        default_factory=list["tuple[Module, ast.ClassDef]"]
    )
    sdk: set[str] = field(default_factory=set[str])
    complete: bool = True

    def methods(self) -> dict[str, tuple[Module, Function]]:
        """Return the methods by name, the most derived ones."""
        found: dict[str, tuple[Module, Function]] = {}
        for module, class_ in self.classes:
            for node in class_.body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    found.setdefault(node.name, (module, node))
        return found

    def assigned(self) -> set[str]:
        """Return the names that are set in the classes otherwise than by `def`."""
        return {
            node.id
            for _, class_ in self.classes
            for statement in class_.body
            for node in ast.walk(statement)
            if isinstance(statement, (ast.Assign, ast.AnnAssign))
            and isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
        }


def check_entry(
    modules: Mapping[str, Module], entry: str, provides: Sequence[str]
) -> Iterator[Finding]:
    """Yield everything that is wrong with the class that `entry` (`module:Class`) names."""
    module, _, name = entry.partition(":")
    found = resolve(modules, module, name)
    if not found.exists:
        classes = [n for n, v in modules[module].names.items() if isinstance(v, ast.ClassDef)]
        detail = f"the module {module} has no class {name}"
        yield _finding(detail, entry, ", ".join(classes) or "no class", "correct `entry`")
    if found.module is None or found.class_ is None:
        return
    lineage = Lineage()
    _climb(modules, found.module, found.class_, lineage)
    shapes = hook_shapes()
    yield from _bases(name, lineage, provides)
    yield from _missing(name, lineage, shapes)
    for hook, (owner, function) in lineage.methods().items():
        yield from _method(owner, function, hook, lineage, shapes)


def _climb(
    modules: Mapping[str, Module], module: Module, class_: ast.ClassDef, lineage: Lineage
) -> None:
    """Collect the class and its bases, each once."""
    pending = [(module, class_)]
    while pending:
        module, class_ = pending.pop(0)
        if any(class_ is known for _, known in lineage.classes):
            continue
        lineage.classes.append((module, class_))
        for base in class_.bases:
            dotted = dotted_name(base)
            found = resolve(modules, module.name, dotted)
            if found.sdk:
                lineage.sdk.add(found.sdk)
            elif found.module is not None and found.class_ is not None:
                pending.append((found.module, found.class_))
            elif dotted not in ("object", "Generic", "ABC", "abc.ABC", "typing.Generic"):
                lineage.complete = False


def _bases(name: str, lineage: Lineage, provides: Sequence[str]) -> Iterator[Finding]:
    # What cannot be seen from here may be fine: then it is a hint, and the trial decides.
    severity: Severity = "error" if lineage.complete else "warning"
    has = {CAPABILITIES[base] for base in lineage.sdk if base in CAPABILITIES}
    if "Plugin" not in lineage.sdk:
        found = ", ".join(sorted(lineage.sdk)) or "no class of plugbay.sdk"
        remedy = f"write class {name}(Plugin[Config], …)"
        yield _finding(f"{name} is no Plugin", "plugbay.sdk.Plugin", found, remedy, severity)
    for capability, base in sorted((c, b) for b, c in CAPABILITIES.items()):
        if capability in provides and capability not in has:
            detail = f"the manifest provides {capability!r}, but {name} does not inherit {base}"
            remedy = f"add {base} to the bases, or take {capability!r} out of `provides`"
            yield _finding(detail, base, ", ".join(sorted(lineage.sdk)), remedy, severity)
        elif capability in has and capability not in provides:
            detail = f"{name} inherits {base}, but the manifest does not provide {capability!r}"
            remedy = f"add {capability!r} to `provides`, or take {base} out of the bases"
            yield _finding(detail, capability, ", ".join(provides), remedy)


def _missing(name: str, lineage: Lineage, shapes: Mapping[str, HookShape]) -> Iterator[Finding]:
    """Hooks that a capability needs and nobody wrote."""
    if not lineage.complete:
        return
    written = lineage.methods().keys() | lineage.assigned()
    for hook, shape in shapes.items():
        optional = shape.base in ("Plugin", "BodyFilter", "McpFilter", "AsgiApp")
        if shape.base in lineage.sdk and not optional and hook not in written:
            expected = f"def {hook}({', '.join(('self', *shape.parameters))})"
            yield _finding(f"{name} has no {hook}", expected, "none", f"write {hook}")
    if "BodyFilter" in lineage.sdk and not _BODIES & written:
        expected = "request_body or response_body"
        yield _finding(f"{name} filters no body", expected, "neither", "write one of them")
    mcp = {hook for hook, shape in shapes.items() if shape.base == "McpFilter"}
    if "McpFilter" in lineage.sdk and not mcp & written:
        expected = "on_message, on_tool_call or another hook of McpFilter"
        yield _finding(f"{name} filters no message", expected, "none", "write one of them")


def _method(
    owner: Module,
    function: Function,
    hook: str,
    lineage: Lineage,
    shapes: Mapping[str, HookShape],
) -> Iterator[Finding]:
    where = f"{owner.path}:{function.lineno}: {hook}"
    shape = shapes.get(hook)
    if shape is None:
        close = difflib.get_close_matches(hook, shapes, n=1, cutoff=0.85)
        if close or hook.startswith("on_"):
            remedy = f"did you mean {close[0]}?" if close else "no hook has this name"
            expected = ", ".join(sorted(shapes))
            yield _finding(f"{where} is never called", expected, hook, remedy, "warning")
        return
    if shape.base not in lineage.sdk:
        if shape.base != "Plugin" and hook != "app" and lineage.complete:
            remedy = f"add {shape.base} to the bases and its capability to `provides`"
            detail = f"{where} is never called: {shape.base} is not inherited"
            yield _finding(detail, shape.base, "not a base", remedy, "warning")
        return
    for what, expected, found in misfits(function, shape):
        yield _finding(f"{where} {what}", expected, found, "correct the hook")
    if hook not in _LIFECYCLE:
        for line, call, instead in blocking_calls(owner, function):
            detail = f"{owner.path}:{line}: {hook} calls {call}, which blocks every request"
            yield _finding(detail, "no blocking call", call, instead, "warning")


def _finding(
    detail: str, expected: str, found: str, remedy: str, severity: Severity = "error"
) -> Finding:
    return Finding("static", detail, expected[:300], found[:300], remedy, severity)
