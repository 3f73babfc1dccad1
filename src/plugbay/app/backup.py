"""A copy of a data directory in one file, and a data directory from it.

The gateway may run meanwhile: SQLite gives a state of one moment, and artifacts never change.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from plugbay.kernel import Conflict, Invalid, NotFound, Unavailable
from plugbay.storage import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "plugbay.sqlite3"
INDEX = "backup.json"
MADE_AGAIN = frozenset({"run", "runners", "shared", "tmp", "unpacked", "venvs"})
"""Directories that the gateway makes of the others, or that hold nothing for long."""
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup has: how many files, and their bytes together."""

    files: int
    size: int


def back_up(data: Path, target: Path) -> Contents:
    """Write the backup, for the owner only: it has the secrets in it.

    Raises `NotFound` if there is no gateway's data, `Conflict` if the target exists, and
    `Unavailable` if it cannot be written; then nothing is left behind.
    """
    if not (data / DATABASE).is_file():
        raise NotFound(f"there is no gateway's data in {data}")
    if target.exists():
        raise Conflict(f"{target} exists already; give another name")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".backup-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                contents = _write(data, file)
                file.flush()
                os.fsync(file.fileno())
            os.link(name, target)  # and not a rename: it must not replace what has come meanwhile
        finally:
            os.unlink(name)
        sync_directory(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the backup cannot be written: {error}") from error
    return contents


def restore(archive: Path, data: Path) -> Contents:
    """Make a data directory of a backup. It is whole, or it is not there.

    Raises `NotFound`, `Conflict` if the directory has something in it, `Invalid` if the file is
    no whole backup, and `Unavailable` if it cannot be written.
    """
    if not archive.is_file():
        raise NotFound(f"there is no {archive}")
    if data.exists() and any(data.iterdir()):
        raise Conflict(f"{data} is not empty; restore to a new directory")
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=data.parent, prefix=".restore-") as scratch:
            fresh = Path(scratch) / "data"
            fresh.mkdir(mode=0o700)
            contents = _read(archive, fresh)
            if data.exists():
                data.rmdir()
            fresh.rename(data)
        sync_directory(data.parent)
    except tarfile.TarError as error:
        raise Invalid(f"{archive} is no whole backup: {error}") from error
    except OSError as error:
        raise Unavailable(f"the backup cannot be restored: {error}") from error
    return contents


def _write(data: Path, file: IO[bytes]) -> Contents:
    index: dict[str, str] = {}
    size = 0
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        with tempfile.TemporaryDirectory(dir=data / "tmp", prefix="backup-") as scratch:
            snapshot = Path(scratch) / DATABASE
            _snapshot(data / DATABASE, snapshot)
            index[DATABASE] = _add(tar, snapshot, DATABASE)
            size += snapshot.stat().st_size
        for path in _files(data):
            name = str(path.relative_to(data))
            index[name] = _add(tar, path, name)
            size += path.stat().st_size
        text = json.dumps(index, indent=1).encode()
        about = tarfile.TarInfo(INDEX)
        about.size, about.mode = len(text), 0o400
        tar.addfile(about, io.BytesIO(text))
    return Contents(len(index), size)


def _snapshot(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, also while it is written to."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _files(data: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(data):
        here = Path(folder)
        if here == data:
            names[:] = [name for name in names if name not in MADE_AGAIN]
            files = [name for name in files if not name.startswith(DATABASE)]
        for name in sorted(files):
            path = here / name
            if path.is_file() and not path.is_symlink():
                yield path


def _add(tar: tarfile.TarFile, path: Path, name: str) -> str:
    """Add a file and return its SHA-256 in hex, of the very bytes that were added."""
    with path.open("rb") as file:
        about = tar.gettarinfo(arcname=name, fileobj=file)
        about.uid = about.gid = 0
        about.uname = about.gname = ""
        hashed = _Hashing(file)
        tar.addfile(about, cast("IO[bytes]", hashed))
    return hashed.sum.hexdigest()


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sum = file, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Read, and hash what was read."""
        data = self._file.read(size)
        self.sum.update(data)
        return data


def _read(archive: Path, fresh: Path) -> Contents:
    found: dict[str, str] = {}
    index: dict[str, str] | None = None
    size = 0
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None:
                raise Invalid(f"{archive} is no backup: {member.name} is not a file")
            if member.name == INDEX:
                index = _index(archive, file.read())
                continue
            found[member.name] = _extract(file, fresh, member)
            size += member.size
    if index is None:
        raise Invalid(f"{archive} is no whole backup: its end is missing")
    wrong = sorted(name for name in {*index, *found} if index.get(name) != found.get(name))
    if wrong:
        raise Invalid(f"{archive} is damaged: {', '.join(wrong[:5])}")
    return Contents(len(found), size)


def _index(archive: Path, text: bytes) -> dict[str, str]:
    try:
        return cast("dict[str, str]", json.loads(text))
    except ValueError as error:
        raise Invalid(f"{archive} is damaged: {INDEX} cannot be read") from error


def _extract(file: IO[bytes], fresh: Path, member: tarfile.TarInfo) -> str:
    safe = tarfile.data_filter(member, str(fresh))
    target, hashed = fresh / safe.name, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with target.open("xb") as out:
        while data := file.read(CHUNK):
            out.write(data)
            hashed.update(data)
        out.flush()
        os.fsync(out.fileno())
    target.chmod((member.mode & 0o700) | 0o400)
    return hashed.hexdigest()
