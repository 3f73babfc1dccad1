"""RECORD: every file of a wheel with its hash and size (PEP 427, PEP 376). Blocking."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugbay.artifacts._finding import Finding
from plugbay.kernel import ArtifactRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.artifacts._archive import Archive, Entry

_ALGORITHMS = ("sha256", "sha384", "sha512")
_LARGEST = 4 * 1024 * 1024
_SIZE = re.compile(r"[0-9]{1,15}")
_REBUILD = "build the wheel with `plugbay plugin build`"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of RECORD."""

    algorithm: str
    digest: str
    size: str


def check_record(archive: Archive, dist_info: str) -> list[Finding]:
    """Inflate every file and compare it with RECORD; return everything that is wrong."""
    name = f"{dist_info}/RECORD"
    lines, findings = _lines(archive, name)
    free = {name, f"{dist_info}/RECORD.jws", f"{dist_info}/RECORD.p7s"}
    for entry in archive.files:
        try:
            findings.extend(_of_file(archive, entry, lines.pop(entry.name, None), free))
        except ArtifactRejected as error:
            findings.extend(_lifted(error))
    findings.extend(
        _finding(f"RECORD lists {name!r}, which is not in the wheel") for name in sorted(lines)
    )
    return findings


def _lines(archive: Archive, name: str) -> tuple[dict[str, Line], list[Finding]]:
    if name not in archive:
        return {}, [_finding("the wheel has no RECORD", expected=name)]
    if archive.size(name) > _LARGEST:
        expected, found = f"at most {_LARGEST} bytes", f"{archive.size(name)} bytes"
        return {}, [_finding("RECORD is too large", expected=expected, found=found)]
    lines: dict[str, Line] = {}
    findings: list[Finding] = []
    try:
        text = archive.read(name).decode("utf-8")
        for row in csv.reader(io.StringIO(text, newline="")):
            if len(row) != 3:
                found = ",".join(row)[:200]
                findings.append(
                    _finding("a line of RECORD", expected="path,hash,size", found=found)
                )
            elif row[0] in lines:
                findings.append(_finding(f"RECORD lists {row[0]!r} twice"))
            else:
                algorithm, _, digest = row[1].partition("=")
                lines[row[0]] = Line(algorithm, digest, row[2])
    except (csv.Error, UnicodeDecodeError) as error:
        findings.append(_finding("RECORD cannot be read", found=str(error)))
    except ArtifactRejected as error:
        findings.extend(_lifted(error))
    return lines, findings


def _of_file(
    archive: Archive, entry: Entry, line: Line | None, free: set[str]
) -> Iterator[Finding]:
    if entry.name in free:
        archive.digest(entry, "sha256")  # inflated like the rest: it may lie too
        return
    if line is None:
        archive.digest(entry, "sha256")
        yield _finding(f"{entry.name!r} is not listed in RECORD", expected="path,hash,size")
        return
    if line.algorithm not in _ALGORITHMS:
        expected = ", ".join(_ALGORITHMS)
        yield _finding(f"the hash of {entry.name!r}", expected=expected, found=line.algorithm)
        return
    raw = archive.digest(entry, line.algorithm)
    digest = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    if not hmac.compare_digest(digest.encode(), line.digest.encode()):
        yield _finding(
            f"{entry.name!r} has another {line.algorithm} than RECORD says",
            expected=line.digest[:100],
            found=digest,
        )
    if not _SIZE.fullmatch(line.size) or int(line.size) != entry.size:
        yield _finding(
            f"{entry.name!r} has another size than RECORD says",
            expected=line.size[:20],
            found=str(entry.size),
        )


def _lifted(error: ArtifactRejected) -> Iterator[Finding]:
    for problem in error.problems:
        yield Finding(
            problem.pointer, problem.detail, problem.expected, problem.found, problem.remedy
        )


def _finding(detail: str, *, expected: str = "", found: str = "") -> Finding:
    return Finding("form", detail, expected=expected, found=found, remedy=_REBUILD)
