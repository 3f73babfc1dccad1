"""The unpacked wheel: which names it has, and whether it can run inside the gateway."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.kernel import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NATIVE = (".so", ".pyd", ".dylib", ".dll")
_PROCESS = 'set runtime = "process" in plugbay.toml: it runs in an environment of its own'
_RESERVED = frozenset(("plugbay", "__main__")) | sys.stdlib_module_names


def top_level_names(payload: Path) -> frozenset[str]:
    """Return the names that the wheel adds to the import path. Blocking."""
    return frozenset(name for path in payload.iterdir() if (name := _importable(path)))


def payload_problems(payload: Path, plugin: str) -> Iterator[Problem]:
    """Yield why it cannot run in process: native code, dependencies, a borrowed name. Blocking."""
    for problem in _problems(payload):
        if problem.remedy != _PROCESS:
            yield problem
        else:
            command = f"plugbay plugin enable {plugin} --runtime process"
            yield replace(problem, remedy=f"{_PROCESS}; or choose it here: {command}")


def _problems(payload: Path) -> Iterator[Problem]:
    if not payload.is_dir():
        yield Problem("load", "the unpacked wheel is not there", "a directory", payload.name)
        return
    for name in sorted(top_level_names(payload) & _RESERVED):
        detail = f"the wheel's top-level module {name!r} would hide the one of that name"
        yield Problem("load", detail, "a name of its own", name, "rename the module")
    for path in sorted(payload.rglob("*")):
        if path.name.lower().endswith(_NATIVE) or ".so." in path.name:
            found = str(path.relative_to(payload))
            detail = f"{found!r} is native code, which cannot be unloaded from the gateway"
            yield Problem("load", detail, "Python modules only", found, _PROCESS)
    for info in sorted(payload.glob("*.dist-info")):
        yield from _distribution(info)


def _distribution(info: Path) -> Iterator[Problem]:
    pure = _fields(info / "WHEEL", "root-is-purelib")
    if pure and pure[0].lower() != "true":
        found = "Root-Is-Purelib: false"
        yield Problem("load", "not a pure Python wheel", "py3-none-any", found, _PROCESS)
    required = _fields(info / "METADATA", "requires-dist")
    if not required:
        return
    # Imported here: most plugins require nothing, and it takes its time to load.
    from plugbay.runtimes._requirement import lacking

    for text in lacking(required):
        detail = f"the plugin has dependencies of its own: {text}"
        expected = "none but plugbay and what is installed here"
        yield Problem("load", detail, expected, text, _PROCESS)


def _fields(path: Path, name: str) -> list[str]:
    """Return the values of a field, whose name is in lower case, in a file of header fields.

    The standard library's parser of such files is one of whole mails, and weighs accordingly.
    """
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    found: list[str] = []
    ours = False
    for line in text.split("\n"):
        if not line:
            break  # what follows is a description
        if line[0] in " \t":
            if ours:
                found[-1] = f"{found[-1]} {line.strip()}".lstrip()
            continue
        said, _, value = line.partition(":")
        ours = said.strip().lower() == name
        if ours:
            found.append(value.strip())
    return found


def _importable(path: Path) -> str:
    """Return the name under which a top-level file or directory is imported, or nothing."""
    if path.is_dir():
        holds = path.name.isidentifier() and any(path.rglob("*.py"))
        return path.name if holds else ""
    return path.stem if path.suffix == ".py" and path.stem.isidentifier() else ""
