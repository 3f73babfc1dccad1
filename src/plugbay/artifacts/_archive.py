"""Reading a zip archive that may be hostile. Blocking.

The standard library parses the central directory, after the end record was checked to be
small and honest. The content is inflated here and not by `zipfile`, because `zipfile` stops
at the size that the header claims: what is inflated is measured, and must be what both headers
say (APPNOTE.TXT 6.3.10, 4.3.7, 4.3.12 and 4.3.16).
"""

from __future__ import annotations

import hashlib
import itertools
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from plugbay.kernel import ArtifactRejected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

CHUNK = 1 << 16
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_METHODS = {_STORED: "stored", _DEFLATED: "deflated"}
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may unpack to. Sizes are in bytes.

    `ratio` is the most that an entry above 1 MiB, and the whole, may expand by; 4 MiB is the
    most of the central directory.
    """

    entries: int = 5_000
    total: int = 256 * 1024 * 1024
    ratio: int = 100
    directory: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the central directory describes it; `start` is where its data begins."""

    name: str
    size: int
    compressed: int
    crc: int
    method: int
    mode: int
    encrypted: bool
    offset: int
    start: int

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, by its name or its mode."""
        return self.name.endswith("/") or stat.S_ISDIR(self.mode)


def reject(detail: str, *, expected: str = "", found: str = "", remedy: str = "") -> NoReturn:
    """Raise `ArtifactRejected` with one problem of the layer `form`."""
    problem = Problem("form", detail, expected=expected, found=found, remedy=remedy)
    raise ArtifactRejected(detail, problems=(problem,))


class Archive:
    """An open archive. Made by `open`; a context manager."""

    def __init__(self, file: BinaryIO, entries: tuple[Entry, ...]) -> None:
        self._file = file
        self.entries = entries
        self._by_name = {entry.name: entry for entry in entries}

    @classmethod
    def open(cls, path: Path, limits: ArchiveLimits) -> Archive:
        """Read the directory. Raises `ArtifactRejected` if it cannot be trusted."""
        file = path.open("rb")
        try:
            return cls(file, _entries(file, limits))
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def files(self) -> tuple[Entry, ...]:
        """The entries that are no directories."""
        return tuple(entry for entry in self.entries if not entry.is_directory)

    def size(self, name: str) -> int:
        """Return one file's size in bytes; `KeyError` if it is missing."""
        return self._by_name[name].size

    def read(self, name: str) -> bytes:
        """Return one file's content. Raises as `chunks` does; `KeyError` if it is missing."""
        return b"".join(self.chunks(self._by_name[name]))

    def digest(self, entry: Entry, algorithm: str) -> bytes:
        """Return the hash of a file's content. Raises as `chunks` does."""
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for chunk in self.chunks(entry):
            digest.update(chunk)
        return digest.digest()

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """Yield a file's content. Raises `ArtifactRejected` if it is not what its header says.

        Never yields more than the header's size: a lying one is noticed at the first byte
        too many.
        """
        inflated = self._inflated(entry) if entry.method == _DEFLATED else self._raw(entry)
        size = crc = 0
        for chunk in inflated:
            size += len(chunk)
            if size > entry.size:
                break
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size != entry.size:
            found = f"more than {entry.size}" if size > entry.size else str(size)
            reject(
                f"the size of {entry.name!r} in the archive's directory is a lie",
                expected=f"{entry.size} bytes",
                found=f"{found} bytes when inflated",
                remedy="build the wheel again",
            )
        if crc != entry.crc:
            reject(
                f"the checksum of {entry.name!r} is wrong",
                expected=f"CRC-32 {entry.crc:08x}",
                found=f"{crc:08x}",
                remedy="build the wheel again, or upload it again if it was damaged on the way",
            )

    def _raw(self, entry: Entry) -> Iterator[bytes]:
        self._file.seek(entry.start)
        left = entry.compressed
        while left and (chunk := self._file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        left = entry.compressed
        try:
            for chunk in self._raw(entry):
                left -= len(chunk)
                pending = chunk
                while pending and not inflate.eof:
                    yield inflate.decompress(pending, CHUNK)
                    pending = inflate.unconsumed_tail
                if inflate.eof:
                    break
            yield inflate.flush()
        except zlib.error as error:
            reject(f"{entry.name!r} cannot be inflated", found=str(error), remedy=_REBUILD)
        if not inflate.eof or inflate.unused_data or left:
            reject(f"the compressed data of {entry.name!r} does not end where the directory says")


_REBUILD = "build the wheel again, or upload it again if it was damaged on the way"


def _entries(file: BinaryIO, limits: ArchiveLimits) -> tuple[Entry, ...]:
    count, start = _end_record(file, limits)
    try:
        infos = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        reject("the archive's central directory cannot be read", found=str(error), remedy=_REBUILD)
    if len(infos) != count:
        reject("the archive's entry count is a lie", expected=str(count), found=str(len(infos)))
    entries = tuple(_entry(file, info, start) for info in infos)
    _refuse_overlap(entries)
    return entries


def _end_record(file: BinaryIO, limits: ArchiveLimits) -> tuple[int, int]:
    """Return the number of entries and where the central directory starts."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        reject("this is no wheel", expected="a zip archive: PK at the start", remedy=_BUILD)
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size or tail[:4] != b"PK\x05\x06":
        reject(
            "the archive is cut off, or has something behind its end",
            expected="the end-of-directory record as the last 22 bytes",
            remedy=_REBUILD,
        )
    _, disk, first_disk, here, count, length, start, comment = _END.unpack(tail)
    if disk or first_disk or here != count or comment or start == 0xFFFFFFFF:
        reject("the archive is split, ZIP64 or commented; a wheel is neither", remedy=_BUILD)
    if start + length + _END.size != size:
        reject("the archive's central directory is not where its end says", remedy=_REBUILD)
    if count > limits.entries or length > limits.directory:
        reject(
            "the archive has too many entries",
            expected=f"at most {limits.entries} in {limits.directory} bytes",
            found=f"{count} in {length} bytes",
        )
    return count, start


_BUILD = "build a wheel with `plugbay plugin build`"


def _entry(file: BinaryIO, info: zipfile.ZipInfo, end: int) -> Entry:
    file.seek(info.header_offset)
    raw = file.read(_LOCAL.size)
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
        reject(f"{info.orig_filename!r} has no local header", remedy=_REBUILD)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra = _LOCAL.unpack(raw)
    if method not in _METHODS or method != info.compress_type:
        reject(
            f"{info.orig_filename!r} is compressed in a way that wheels are not",
            expected="stored or deflated",
            found=f"method {info.compress_type}, {method} in the local header",
        )
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    if file.read(name_length) != info.orig_filename.encode(encoding, "replace"):
        reject(f"{info.orig_filename!r} has another name in its local header")
    claimed = (info.CRC, info.compress_size, info.file_size)
    if not flags & _DESCRIPTOR and (crc, packed, size) != claimed:
        reject(f"{info.orig_filename!r} has other sizes in its local header", remedy=_REBUILD)
    begin = info.header_offset + _LOCAL.size + name_length + extra
    if begin + info.compress_size > end:
        reject(f"the data of {info.orig_filename!r} runs into the central directory")
    return Entry(
        name=info.orig_filename,
        size=info.file_size,
        compressed=info.compress_size,
        crc=info.CRC,
        method=method,
        mode=info.external_attr >> 16,
        encrypted=bool((flags | info.flag_bits) & _ENCRYPTED),
        offset=info.header_offset,
        start=begin,
    )


def _refuse_overlap(entries: tuple[Entry, ...]) -> None:
    ordered = sorted(entries, key=lambda entry: entry.offset)
    for first, second in itertools.pairwise(ordered):
        if first.start + first.compressed > second.offset:
            reject(
                f"{first.name!r} and {second.name!r} share bytes of the archive: a zip bomb",
                remedy=_BUILD,
            )
