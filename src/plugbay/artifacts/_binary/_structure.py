"""The layer `elf`: the file is whole, and made for this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding, unreadable
from plugbay.artifacts._binary._host import Host, machine_name
from plugbay.artifacts._native._elf import (
    ET_DYN,
    ET_EXEC,
    PT_INTERP,
    PT_LOAD,
    ElfError,
    read_elf,
    read_header,
)
from plugbay.artifacts._native._inspect import mapped
from plugbay.artifacts._threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugbay.artifacts._layer import Subject
    from plugbay.artifacts._native._elf import Buffer, Elf, Header
    from plugbay.kernel import Problem

_TYPES = {0: "no type", 1: "an object file", ET_EXEC: "a program", ET_DYN: "shared", 4: "a core"}
_LONGEST_PATH = 4096


class Structure:
    """Magic number, class, machine and type, and that no header points out of the file."""

    name = "elf"
    eager = True

    def __init__(self, host: Host | None = None) -> None:
        self._host = host or Host.here()

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Read the headers and keep them in the subject."""
        return await in_thread(lambda: list(self._findings(subject)))

    def _findings(self, subject: Subject) -> Iterator[Problem]:
        again = f"build it by: {self._host.build(subject.kind, subject.filename)}"
        try:
            with mapped(subject.path) as data:
                yield from self._of_header(subject, read_header(data), again)
                subject.elf = elf = read_elf(data)
                yield from _of_segments(data, elf, again)
        except ElfError as error:
            cut = "cut off" in error.detail
            yield unreadable(self.name, error, *(() if cut else (again,)))

    def _of_header(self, subject: Subject, header: Header, again: str) -> Iterator[Problem]:
        if header.machine != self._host.machine:
            yield finding(
                self.name,
                "made for another machine",
                expected=machine_name(self._host.machine),
                found=machine_name(header.machine),
                remedy=again,
            )
        wanted = {ET_DYN} if subject.kind == "shared-object" else {ET_DYN, ET_EXEC}
        if header.type not in wanted:
            expected = "a shared object" if subject.kind == "shared-object" else "a program"
            found = _TYPES.get(header.type, f"type {header.type}")
            detail = f"not {expected}"
            yield finding(self.name, detail, expected=expected, found=found, remedy=again)


def _of_segments(data: Buffer, elf: Elf, again: str) -> Iterator[Problem]:
    if not any(segment.kind == PT_LOAD and segment.size for segment in elf.segments):
        yield finding(Structure.name, "nothing in it can be loaded", expected="a load segment")
    for segment in elf.segments:
        if segment.kind != PT_INTERP or elf.type == 0:
            continue
        end = segment.offset + min(segment.size, _LONGEST_PATH)
        loader = data[segment.offset : end].rstrip(b"\0").decode("utf-8", "replace")
        if not loader or "\0" in loader or not Path(loader).is_file():
            yield finding(
                Structure.name,
                "the loader it was linked for is not on this machine",
                expected="a program without one, or for this system's C library",
                found=loader or "an empty name",
                remedy=again,
            )
