"""The compiled indicators: sorted arrays in a file that every worker maps and bisects.

The file is `MAGIC`, the length of a JSON header (32 bits), the header, and the arrays, each
aligned to 8 bytes. IPv4 is spans of 32-bit numbers, IPv6 spans of 128-bit numbers in two halves,
a domain the first 64 bits of its BLAKE2b hash. Each has a row number beside it: what is known,
stored once for all that have it in common.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ._spans import Span, flatten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAGIC = b"PLUGBAY threat 1\n"
_HALF = 0xFFFF_FFFF_FFFF_FFFF
_ARRAYS = ("v4_low", "v4_high", "v4_row", "v6_low_a", "v6_low_b", "v6_high_a", "v6_high_b")
NAMES = (*_ARRAYS, "v6_row", "domain", "domain_row")
_SHORT = frozenset(("v4_low", "v4_high", "v4_row", "v6_row", "domain_row"))
"""Arrays of 32 bits; the others have 64."""


class Row(NamedTuple):
    """What is known of indicators: who says it, how bad it is (0 to 3), until when (0: ever)."""

    source: str
    severity: int
    expires: float


class Numbers(Protocol):
    """Numbers in a row: an array, or a view of a mapped file."""

    def __len__(self) -> int: ...
    def __getitem__(self, at: int, /) -> int: ...


class Index:
    """A compiled file. Nothing of it changes; a newer one is another object."""

    def __init__(self, header: Mapping[str, Any], parts: Mapping[str, Numbers]) -> None:
        self.header = header
        self.rows: list[Row] = [Row(str(s), int(v), float(e)) for s, v, e in header["rows"]]
        self._low, self._high, self._row = parts["v4_low"], parts["v4_high"], parts["v4_row"]
        self._low_a, self._low_b = parts["v6_low_a"], parts["v6_low_b"]
        self._high_a, self._high_b = parts["v6_high_a"], parts["v6_high_b"]
        self._row6 = parts["v6_row"]
        self._domains, self._domain_rows = parts["domain"], parts["domain_row"]

    def __len__(self) -> int:
        """How many spans and domains there are; overlapping indicators are fewer spans."""
        return len(self._low) + len(self._row6) + len(self._domains)

    def four(self, number: int) -> Row | None:
        """Look up an IPv4 address."""
        at = bisect_right(self._low, number) - 1
        if at >= 0 and number <= self._high[at]:
            return self.rows[self._row[at]]
        return None

    def six(self, number: int) -> Row | None:
        """Look up an IPv6 address."""
        a, b = number >> 64, number & _HALF
        end = bisect_right(self._low_a, a)
        first = bisect_left(self._low_a, a, 0, end)
        at = bisect_right(self._low_b, b, first, end) - 1
        if at < 0 or (a, b) > (self._high_a[at], self._high_b[at]):
            return None
        return self.rows[self._row6[at]]

    def domain(self, name: str) -> Row | None:
        """Look up a domain, and those above it that still have two labels."""
        rest = name.lower().rstrip(".")
        while "." in rest:
            wanted = hash_of(rest)
            at = bisect_left(self._domains, wanted)
            if at < len(self._domains) and self._domains[at] == wanted:
                return self.rows[self._domain_rows[at]]
            rest = rest.partition(".")[2]
        return None

    @classmethod
    def empty(cls) -> Index:
        """Return one that names nobody."""
        return cls({"rows": [], "sources": {}}, {name: _new(name) for name in NAMES})

    @classmethod
    def open(cls, path: Path) -> Index:
        """Map a file. Raises `OSError`, and `ValueError` if it is none of ours."""
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= len(MAGIC) + 4:
                raise ValueError(f"{path.name} is no index")
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        at = len(MAGIC) + 4
        if bytes(view[: len(MAGIC)]) != MAGIC:
            raise ValueError(f"{path.name} is no index")
        (length,) = struct.unpack_from("<I", view, len(MAGIC))
        header = json.loads(bytes(view[at : at + length]))
        if header.get("order") != sys.byteorder:
            raise ValueError(f"{path.name} is of another kind of machine")
        parts = {
            name: _items(view[start : start + size], name)
            for name, (start, size) in _places(header["sizes"], at + length).items()
        }
        return cls(header, parts)


class Compiler:
    """Gathers indicators and writes them as a file."""

    def __init__(self) -> None:
        self.rows: dict[Row, int] = {}
        self.ranks: list[int] = []
        self.four: list[Span] = []
        self.six: list[Span] = []
        self.domains: dict[int, int] = {}

    def row(self, row: Row) -> int:
        """Return the number of a row, a new one if there is none like it."""
        number = self.rows.setdefault(row, len(self.rows))
        if number == len(self.ranks):
            self.ranks.append(_rank(row))
        return number

    def domain(self, name: str, row: int) -> None:
        """Take in a domain; the worse row counts."""
        key = hash_of(name.lower().rstrip("."))
        known = self.domains.get(key)
        if known is None or self.ranks[known] < self.ranks[row]:
            self.domains[key] = row

    def write(self, path: Path, header: Mapping[str, Any]) -> None:
        """Write the file, whole or not at all."""
        parts = self._compiled()
        sizes = {name: len(parts[name]) * parts[name].itemsize for name in NAMES}
        head = {**header, "rows": list(self.rows), "sizes": sizes, "order": sys.byteorder}
        raw = json.dumps(head).encode()
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(MAGIC + struct.pack("<I", len(raw)) + raw)
            for name, (start, _) in _places(sizes, file.tell()).items():
                file.write(bytes(start - file.tell()))
                parts[name].tofile(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _compiled(self) -> dict[str, array[int]]:
        parts = {name: _new(name) for name in NAMES}
        self.four.sort()
        for low, high, row in flatten(self.four, self.ranks):
            parts["v4_low"].append(low)
            parts["v4_high"].append(high)
            parts["v4_row"].append(row)
        self.six.sort()
        for low, high, row in flatten(self.six, self.ranks):
            for name, value in (("low", low), ("high", high)):
                parts[f"v6_{name}_a"].append(value >> 64)
                parts[f"v6_{name}_b"].append(value & _HALF)
            parts["v6_row"].append(row)
        for key in sorted(self.domains):
            parts["domain"].append(key)
            parts["domain_row"].append(self.domains[key])
        return parts


def hash_of(domain: str) -> int:
    """Return the 64 bits that stand for a domain."""
    digest = hashlib.blake2b(domain.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _rank(row: Row) -> int:
    """Worse first, then what counts longer."""
    return row.severity << 48 | (int(row.expires) or (1 << 47))


def _new(name: str) -> array[int]:
    return array("I" if name in _SHORT else "Q")


def _items(view: memoryview, name: str) -> Numbers:
    return view.cast("I") if name in _SHORT else view.cast("Q")


def _places(sizes: Mapping[str, int], at: int) -> dict[str, tuple[int, int]]:
    """Return where each array begins and how long it is, in bytes."""
    places: dict[str, tuple[int, int]] = {}
    for name in NAMES:
        at = (at + 7) // 8 * 8
        places[name] = at, sizes[name]
        at += sizes[name]
    return places
