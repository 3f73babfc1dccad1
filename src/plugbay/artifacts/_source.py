"""The static check of a wheel's sources. It runs in a child process; see `_static`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._archive import Archive, ArchiveLimits
from plugbay.artifacts._entry import check_entry
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._imports import check_imports
from plugbay.artifacts._modules import parse_modules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LARGEST = 1 << 20
_MOST = 200
"""Findings that are reported at most: an author reads no more at once."""


def check_wheel(
    path: Path, entry: str, provides: Sequence[str], imports: frozenset[str] = frozenset()
) -> list[Finding]:
    """Read and check every module of a wheel."""
    sources: dict[str, bytes] = {}
    findings: list[Finding] = []
    with Archive.open(path, ArchiveLimits()) as archive:
        for file in archive.files:
            if not file.name.endswith(".py"):
                continue
            if file.size > LARGEST:
                detail = f"{file.name} is too large for a module"
                expected, found = f"at most {LARGEST} bytes", f"{file.size} bytes"
                findings.append(Finding("static", detail, expected, found, "split it"))
            else:
                sources[file.name] = archive.read(file.name)
    return (findings + check_sources(sources, entry, provides, imports))[:_MOST]


def check_sources(
    sources: Mapping[str, bytes],
    entry: str,
    provides: Sequence[str],
    imports: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Return everything that is wrong with these modules, by path; `imports` are the packages
    they may use."""
    modules, findings = parse_modules(sources)
    findings.extend(check_imports(modules, imports))
    if entry.partition(":")[0] in modules:
        findings.extend(check_entry(modules, entry, provides))
    return findings
