"""Which names, kinds and sizes of entries a wheel may have."""

from __future__ import annotations

import re
import stat
import unicodedata
from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.artifacts._archive import ArchiveLimits, Entry

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 255
_LONGEST_PATH = 1024
_BOMB_SIZE = 1 << 20
"""Below it a high ratio is no bomb: a file of one repeated line is legitimate."""


def check_entries(entries: tuple[Entry, ...], limits: ArchiveLimits) -> list[Finding]:
    """Return everything that is wrong with the directory of an archive."""
    findings = [finding for entry in entries for finding in _of_entry(entry, limits)]
    findings.extend(_collisions(entries))
    findings.extend(_totals(entries, limits))
    return findings


def _of_entry(entry: Entry, limits: ArchiveLimits) -> Iterator[Finding]:
    why = _bad_name(entry.name)
    if why:
        yield _finding(f"the name {entry.name[:200]!r} {why}", expected="a relative path with /")
    kind = stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if stat.S_ISLNK(entry.mode) else "a special file"
        yield _finding(f"{entry.name!r} is {what}", expected="files and directories only")
    if stat.S_ISDIR(entry.mode) != entry.name.endswith("/") and kind:
        yield _finding(f"{entry.name!r} is a directory by its name or its mode, not by both")
    if entry.is_directory and entry.size:
        yield _finding(f"the directory {entry.name!r} has content")
    if entry.encrypted:
        yield _finding(f"{entry.name!r} is encrypted", remedy="build the wheel without a password")
    if entry.size > _BOMB_SIZE and entry.size > limits.ratio * max(1, entry.compressed):
        yield _bomb(entry.name, entry.size, entry.compressed, limits)


def _bad_name(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    reasons = {
        "is absolute": name.startswith("/"),
        "leaves the archive": ".." in parts,
        "has an empty or '.' part": bool({"", "."} & set(parts)),
        "has a backslash": "\\" in name,
        "names a drive": _DRIVE.match(name) is not None,
        "has a control character": _CONTROL.search(name) is not None,
        "is too long": len(name.encode()) > _LONGEST_PATH
        or any(len(part.encode()) > _LONGEST for part in parts),
    }
    return " and ".join(reason for reason, holds in reasons.items() if holds)


def _collisions(entries: tuple[Entry, ...]) -> Iterator[Finding]:
    """Two entries that are one file on some file systems, or a file that is also a folder."""
    seen: dict[str, str] = {}
    files: dict[str, str] = {}
    for entry in entries:
        key = _folded(entry.name.removesuffix("/"))
        if key in seen:
            yield _finding(
                f"{entry.name!r} and {seen[key]!r} are the same file",
                expected="names that differ by more than case",
            )
        seen[key] = entry.name
        if not entry.is_directory:
            files[key] = entry.name
    for key, name in seen.items():
        parent = key
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in files:
                yield _finding(f"{name!r} lies below the file {files[parent]!r}")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _totals(entries: tuple[Entry, ...], limits: ArchiveLimits) -> Iterator[Finding]:
    total = sum(entry.size for entry in entries)
    packed = sum(entry.compressed for entry in entries)
    if total > limits.total:
        yield _finding(
            "the wheel is too large when unpacked: a zip bomb",
            expected=f"at most {limits.total} bytes",
            found=f"{total} bytes",
            remedy="leave data files out of the wheel",
        )
    elif total > _BOMB_SIZE and total > limits.ratio * packed:
        yield _bomb("the whole", total, packed, limits)


def _bomb(what: str, size: int, packed: int, limits: ArchiveLimits) -> Finding:
    return _finding(
        f"{what} expands too much: a zip bomb",
        expected=f"at most {limits.ratio} times",
        found=f"{packed} bytes to {size}",
    )


def _finding(detail: str, *, expected: str = "", found: str = "", remedy: str = "") -> Finding:
    return Finding(
        "form",
        detail,
        expected=expected,
        found=found,
        remedy=remedy or "build the wheel with `plugbay plugin build`",
    )
