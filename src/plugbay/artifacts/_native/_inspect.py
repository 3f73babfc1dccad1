"""One look into a binary: its structure, how Go built it, and the names it exports. Blocking."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plugbay.artifacts._native._build_info import read_go_build
from plugbay.artifacts._native._elf import ElfError, read_elf
from plugbay.artifacts._native._symbols import Symbols, package_hashes
from plugbay.kernel import ArtifactRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from plugbay.artifacts._go_build import GoBuild
    from plugbay.artifacts._native._elf import Buffer

_UNNAMED = re.compile(r"plugin/unnamed-[0-9a-f]{40}")
SINGLE_FILES = "command-line-arguments"
"""The import path of what was built by `go build file.go`; its symbols have a hash for a name."""


@dataclass(frozen=True, slots=True)
class Exports:
    """What a plugin exports: the names in its main package, and how many symbols in all."""

    names: frozenset[str]
    handles: tuple[str, ...]
    count: int


def inspect_go(path: Path) -> GoBuild:
    """Read how Go built the binary at `path`, with the hashes of its packages. Blocking.

    Raises `ArtifactRejected` if it is no ELF file of Go's.
    """
    try:
        with mapped(path) as data:
            elf = read_elf(data)
            build = read_go_build(data, elf)
            if build is None:
                raise ElfError("not made by Go", expected=".go.buildinfo", found="none")
            return completed(build, Symbols(data, elf))
    except ElfError as error:
        problem = Problem("/", error.detail, expected=error.expected, found=error.found)
        raise ArtifactRejected(error.detail, problems=(problem,)) from None


def mapped(path: Path) -> AbstractContextManager[Buffer]:
    """Map a file into memory, for reading; nothing of it is read before it is looked at."""
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ElfError("the file is empty", expected="an ELF file", found="0 bytes") from None


def completed(build: GoBuild, symbols: Symbols) -> GoBuild:
    """Add what only the symbols say: the packages' hashes and the prefix of the main package."""
    packages = dict(package_hashes(symbols))
    return replace(build, packages=packages, prefix=_prefix(build.path, packages))


def exports(build: GoBuild, symbols: Symbols, wanted: str) -> Exports:
    """Look for the exported name `wanted` and for methods `Handle` of the main package."""
    names = frozenset(_candidates(build, symbols, wanted))
    opening = f"{build.prefix}.("
    handles = tuple(name for name in symbols.ending(b").Handle") if name.startswith(opening))
    return Exports(names, handles, len(symbols))


def _candidates(build: GoBuild, symbols: Symbols, wanted: str) -> Iterator[str]:
    """Yield `wanted` if it is there, and the names that differ from it by case only."""
    for name in dict.fromkeys((wanted, wanted.capitalize(), wanted.lower(), "New", "Middleware")):
        if build.prefix and f"{build.prefix}.{name}" in symbols:
            yield name


def _prefix(path: str, packages: dict[str, str]) -> str:
    """Return what the symbols of the main package begin with (cmd/internal/objabi,
    `PathToPrefix`): in the last element of the path a dot is `%2e`."""
    if path in ("", SINGLE_FILES):
        return next((name for name in packages if _UNNAMED.fullmatch(name)), "")
    head, slash, last = path.rpartition("/")
    escaped = "".join(map(_escaped, last)).replace(".", "%2e")
    return "".join(map(_escaped, head)) + slash + escaped


def _escaped(character: str) -> str:
    if character <= " " or character in '%"' or character >= "\x7f":
        return "".join(f"%{byte:02x}" for byte in character.encode())
    return character
