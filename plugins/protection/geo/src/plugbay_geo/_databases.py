"""The database files: opened and looked at in a thread, swapped when they change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.sdk.protection import number_of

from ._place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    class Reader(Protocol):
        """What is needed of an open file."""

        def get(self, ip_address: str, /) -> object: ...
        def metadata(self) -> Any: ...


_MEMO = 32_768
_LONGEST = 64
UNKNOWN = Place()


class DatabaseUnreadable(Exception):
    """A file is missing or no database, or nothing is installed that reads it quickly enough."""


@dataclass(frozen=True, slots=True)
class Database:
    """One open file. `stamp` tells whether the file of that name is still the same."""

    path: Path
    stamp: tuple[int, int, int]
    reader: Reader
    kind: str
    built: float
    six: bool

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open a file. Raises `DatabaseUnreadable`."""
        try:
            # The reader in pure Python takes ten times as long: more than the whole chain may.
            from maxminddb import MODE_MMAP_EXT, InvalidDatabaseError
            from maxminddb.extension import Reader as Native
        except ImportError as error:
            raise DatabaseUnreadable(
                "maxminddb with its C extension is needed: pip install 'plugbay[protection]'"
            ) from error
        try:
            stamp = _stamp(path)
            reader: Reader = Native(str(path), MODE_MMAP_EXT)
        except (OSError, ValueError, InvalidDatabaseError) as error:
            raise DatabaseUnreadable(f"{path}: {error}") from error
        about = reader.metadata()
        built = float(about.build_epoch)
        return cls(path, stamp, reader, about.database_type, built, about.ip_version == 6)

    def renewed(self) -> Database:
        """Return this one if the file is unchanged, else what is there now."""
        try:
            same = _stamp(self.path) == self.stamp
        except OSError as error:
            raise DatabaseUnreadable(f"{self.path}: {error}") from error
        return self if same else Database.open(self.path)

    def get(self, address: str, version: int) -> object:
        """Return the record of an address, None if there is none.

        Raises `InvalidDatabaseError`, a `RuntimeError`, for a file that is damaged inside.
        """
        return self.reader.get(address) if self.six or version == 4 else None


class Databases:
    """All files together, with a memory of what was asked of late."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._memo: dict[str, Place] = {}
        self.open: tuple[Database, ...] = ()
        self.errors: dict[str, str] = {}
        """What is wrong with a file now, by its path."""

    async def load(self) -> None:
        """Open them all. Raises `DatabaseUnreadable`."""
        self.open = await asyncio.to_thread(lambda: tuple(map(Database.open, self._paths)))

    async def renew(self) -> bool:
        """Take in files that have changed; what cannot be read leaves the last good one."""
        found, self.errors = await asyncio.to_thread(_renewed, self.open)
        changed = found != self.open
        if changed:
            self.open = found
            self._memo.clear()
        return changed

    def find(self, address: str) -> Place:
        """Return what is known of an address."""
        place = self._memo.get(address)
        if place is None:
            place = self._look(address)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            if len(address) <= _LONGEST:
                self._memo[address] = place
        return place

    def _look(self, address: str) -> Place:
        number = number_of(address)
        if number is None or not self.open:
            return UNKNOWN
        mapped = number[0] == 4 and ":" in address
        text = str(IPv4Address(number[1])) if mapped else address.partition("%")[0]
        records: list[object] = []
        for database in self.open:
            try:
                records.append(database.get(text, number[0]))
            except (RuntimeError, ValueError) as error:
                self.errors[str(database.path)] = str(error)
        return Place.of(records)


def _renewed(open: Sequence[Database]) -> tuple[tuple[Database, ...], dict[str, str]]:
    found: list[Database] = []
    errors: dict[str, str] = {}
    for database in open:
        try:
            found.append(database.renewed())
        except DatabaseUnreadable as error:
            errors[str(database.path)] = str(error)
            found.append(database)
    return tuple(found), errors


def _stamp(path: Path) -> tuple[int, int, int]:
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns
