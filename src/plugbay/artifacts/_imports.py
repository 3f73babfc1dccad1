"""Imports that will not be there when the plugin is loaded, or may not stay."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding
from plugbay.artifacts._modules import SDK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugbay.artifacts._modules import Module

ANY = "*"
"""Among the declared packages: others as well, which nobody knows before they are installed."""


def check_imports(
    modules: Mapping[str, Module], declared: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Yield a warning for each unconditional import of what is not the plugin's to import."""
    if ANY in declared:
        return
    own = {name.partition(".")[0] for name in modules} | declared
    for module in modules.values():
        for node in module.tree.body:
            for name in _absolute(node):
                top = name.partition(".")[0]
                if top == "plugbay" and name != SDK and not name.startswith(f"{SDK}."):
                    yield _warning(module, node, name, f"{SDK} only", f"use {SDK}: it is stable")
                elif top not in sys.stdlib_module_names and top not in own | {"plugbay"}:
                    expected = "the standard library, plugbay.sdk or the wheel's own modules"
                    remedy = 'declare it in pyproject.toml, or set runtime = "process"'
                    yield _warning(module, node, name, expected, remedy)


def _absolute(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        whole = node.module == "plugbay" and all(alias.name == "sdk" for alias in node.names)
        yield SDK if whole else node.module


def _warning(module: Module, node: ast.stmt, name: str, expected: str, remedy: str) -> Finding:
    detail = f"{module.path}:{node.lineno}: imports {name}"
    return Finding("static", detail, expected, name, remedy, "warning")
