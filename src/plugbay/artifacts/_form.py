"""The first layer: the bytes are a whole, honest and harmless wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._archive import Archive, ArchiveLimits
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._names import check_entries
from plugbay.artifacts._record import check_record
from plugbay.artifacts._threads import in_thread
from plugbay.artifacts._wheel import check_names, find_dist_info, parse_name, read_metadata
from plugbay.kernel import ArtifactRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.artifacts._wheel import WheelName
    from plugbay.kernel import Problem

_TEXT_LIMIT = 1 << 20


class Form:
    """Archive safety, the wheel's file name, RECORD, METADATA and WHEEL."""

    name = "form"
    eager = False

    def __init__(self, limits: ArchiveLimits | None = None) -> None:
        self._limits = limits or ArchiveLimits()

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Read the archive in a thread, inflating every file once."""
        return await in_thread(self._inspect, subject)

    def _inspect(self, subject: Subject) -> list[Problem]:
        name, named = parse_name(subject.filename)
        findings: list[Problem] = list(named)
        try:
            with Archive.open(subject.path, self._limits) as archive:
                unsafe = check_entries(archive.entries, self._limits)
                findings.extend(unsafe or _contents(archive, name, subject))
        except ArtifactRejected as error:
            findings.extend(error.problems)
        return findings


def _contents(archive: Archive, name: WheelName | None, subject: Subject) -> list[Problem]:
    subject.files = frozenset(entry.name for entry in archive.files)
    dist_info, found = find_dist_info(subject.files, name)
    findings: list[Problem] = [*found, *_data_folders(subject.files)]
    if not dist_info:
        return findings
    subject.dist_info = dist_info
    findings.extend(check_record(archive, dist_info))
    if not findings:
        findings.extend(_metadata(archive, name, subject))
    return findings


def _data_folders(files: frozenset[str]) -> list[Finding]:
    folders = sorted({top for file in files if (top := file.split("/")[0]).endswith(".data")})
    return [
        Finding(
            "form",
            f"{folder!r} would have to be installed; a plugin is run from its wheel as it is",
            remedy="put the files into the package and read them with importlib.resources",
        )
        for folder in folders
    ]


def _metadata(archive: Archive, name: WheelName | None, subject: Subject) -> list[Finding]:
    raw: list[bytes] = []
    for file in ("METADATA", "WHEEL"):
        path = f"{subject.dist_info}/{file}"
        if path not in subject.files or archive.size(path) > _TEXT_LIMIT:
            found = f"{archive.size(path)} bytes" if path in subject.files else "none"
            expected = f"at most {_TEXT_LIMIT} bytes"
            return [Finding("form", f"the wheel needs a {path}", expected=expected, found=found)]
        raw.append(archive.read(path))
    subject.metadata, findings = read_metadata(raw[0], raw[1])
    if subject.metadata is not None and name is not None:
        findings.extend(check_names(subject.metadata, name))
    return findings
