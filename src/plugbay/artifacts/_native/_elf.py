"""Reading an ELF file that may be hostile (System V ABI, chapters 4 and 5). Blocking.

Only 64-bit little-endian files are read further than their first bytes. Every offset is checked
against the file before it is followed, and every table has a limit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from mmap import mmap

    Buffer = bytes | mmap

MAGIC = b"\x7fELF"
HEADER = 64
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
SHT_NOBITS = 8
_DT_FLAGS_1, _DF_1_PIE = 0x6FFFFFFB, 0x08000000
_FILE = struct.Struct("<HHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<QQ")
MOST_SECTIONS, MOST_SEGMENTS, _MOST_DYNAMIC = 4096, 512, 4096
_LONGEST_NAME = 256


class ElfError(Exception):
    """The file cannot be read as ELF: what was expected, and what was found."""

    def __init__(self, detail: str, *, expected: str = "", found: str = "") -> None:
        super().__init__(detail)
        self.detail, self.expected, self.found = detail, expected, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A line of the section header table."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int

    @property
    def stored(self) -> int:
        """How many bytes of the file it takes."""
        return 0 if self.kind == SHT_NOBITS else self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A line of the program header table; `size` is that in the file."""

    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """The structure of a file. `pie` is what its dynamic section says: an executable program."""

    type: int
    machine: int
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]
    pie: bool = False

    @property
    def program(self) -> bool:
        """Whether it is a program and not a library: it starts by itself."""
        return is_program(self.type, self.segments, pie=self.pie)

    def section(self, name: str) -> Section | None:
        """Return the first section of this name."""
        return next((section for section in self.sections if section.name == name), None)

    def place(self, address: int, size: int) -> int | None:
        """Return where in the file the bytes are that will lie at `address`."""
        for segment in self.segments:
            start = address - segment.address
            if segment.kind == PT_LOAD and start >= 0 and start + size <= segment.size:
                return segment.offset + start
        return None


@dataclass(frozen=True, slots=True)
class Header:
    """The first 64 bytes, as numbers."""

    type: int
    machine: int
    segments: tuple[int, int, int]
    """Offset, size of an entry, number of entries; `sections` likewise."""
    sections: tuple[int, int, int]
    names: int


def read_header(data: Buffer) -> Header:
    """Read the file header. Raises `ElfError` if it is none of a 64-bit little-endian file."""
    if data[:4] != MAGIC:
        begins = data[:4].hex(" ") or "nothing"
        _refuse("this is no ELF file", "a file that begins with 7f 45 4c 46", begins)
    if len(data) < HEADER:
        _refuse("the file is cut off", f"a header of {HEADER} bytes", f"{len(data)} bytes")
    if data[4] != 2:
        found = "32-bit" if data[4] == 1 else f"class {data[4]}"
        _refuse("not a 64-bit file", "ELF class 64", found)
    if data[5] != 1:
        found = "big-endian" if data[5] == 2 else f"encoding {data[5]}"
        _refuse("not a little-endian file", "little-endian", found)
    fields = _FILE.unpack_from(data, 16)
    kind, machine, version, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names = fields
    if data[6] != 1 or version != 1:
        _refuse("unknown ELF version", "1", f"{data[6]} and {version}")
    return Header(kind, machine, (phoff, phsize, phnum), (shoff, shsize, shnum), names)


def read_elf(data: Buffer) -> Elf:
    """Read the structure. Raises `ElfError` if something points out of the file."""
    header = read_header(data)
    segments = read_segments(data, header)
    sections = _read_sections(data, header)
    return Elf(
        type=header.type,
        machine=header.machine,
        sections=sections,
        segments=segments,
        pie=is_pie(data, segments),
    )


def read_segments(data: Buffer, header: Header) -> tuple[Segment, ...]:
    """Read the program headers. Raises `ElfError`."""
    start, count = _table(data, "program", header.segments, _SEGMENT.size, MOST_SEGMENTS)
    segments: list[Segment] = []
    for index in range(count):
        kind, _, offset, address, _, size, _, _ = _SEGMENT.unpack_from(
            data, start + index * _SEGMENT.size
        )
        if offset + size > len(data):
            _cut(f"segment {index}", offset + size, len(data))
        segments.append(Segment(kind=kind, offset=offset, address=address, size=size))
    return tuple(segments)


def is_pie(data: Buffer, segments: tuple[Segment, ...]) -> bool:
    """Whether the dynamic section marks a position-independent executable."""
    for segment in segments:
        if segment.kind == PT_DYNAMIC:
            end = segment.offset + min(segment.size, _MOST_DYNAMIC * _DYNAMIC.size)
            for at in range(segment.offset, end - _DYNAMIC.size + 1, _DYNAMIC.size):
                tag, value = _DYNAMIC.unpack_from(data, at)
                if tag == 0:
                    break
                if tag == _DT_FLAGS_1 and value & _DF_1_PIE:
                    return True
    return False


def is_program(type: int, segments: tuple[Segment, ...], *, pie: bool) -> bool:
    """Whether a file of this type starts by itself: a shared library wants no loader."""
    loader = any(segment.kind == PT_INTERP for segment in segments)
    return type == ET_EXEC or (type == ET_DYN and (loader or pie))


def _read_sections(data: Buffer, header: Header) -> tuple[Section, ...]:
    start, count = _table(data, "section", header.sections, _SECTION.size, MOST_SECTIONS)
    rows = [_SECTION.unpack_from(data, start + i * _SECTION.size) for i in range(count)]
    for index, (_, kind, _, _, offset, size, _, _, _, _) in enumerate(rows):
        if kind != SHT_NOBITS and offset + size > len(data):
            _cut(f"section {index}", offset + size, len(data))
    if rows and header.names >= len(rows):
        _refuse("the section names are missing", f"below {len(rows)}", str(header.names))
    names = rows[header.names][4:6] if rows else (0, 0)
    return tuple(
        Section(
            name=_name(data, names, row[0]),
            kind=row[1],
            address=row[3],
            offset=row[4],
            size=row[5],
            link=row[6],
        )
        for row in rows
    )


def _table(
    data: Buffer, what: str, place: tuple[int, int, int], size: int, most: int
) -> tuple[int, int]:
    """Return the start and the length of a table that lies in the file."""
    start, entry, count = place
    if not count:
        return 0, 0
    if entry != size:
        _refuse(f"{what} headers of an unknown size", f"{size} bytes", f"{entry} bytes")
    if count > most:
        _refuse(f"too many {what} headers", f"at most {most}", str(count))
    if start + count * size > len(data):
        _cut(f"the table of {what} headers", start + count * size, len(data))
    return start, count


def _name(data: Buffer, table: tuple[int, int], at: int) -> str:
    """Return the name at `at` in a string table; cut where no honest one is that long."""
    start, size = table
    if at >= size:
        return ""
    raw = data[start + at : start + min(size, at + _LONGEST_NAME)]
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def _cut(what: str, end: int, size: int) -> NoReturn:
    _refuse(f"the file is cut off in {what}", f"at least {end} bytes", f"{size} bytes")


def _refuse(detail: str, expected: str, found: str) -> NoReturn:
    raise ElfError(detail, expected=expected, found=found)
