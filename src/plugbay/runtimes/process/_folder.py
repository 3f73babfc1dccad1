"""The private directory of a plugin's process: the copy of its program, and its socket."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from plugbay.runtimes.process._handshake import check_path, wrong_digest

PREFIX = "plugbay-proc-"
_CHUNK = 1 << 20


class Folder:
    """A directory that only this user can enter. It is locked as long as its owner lives."""

    def __init__(self, path: str, lock: int) -> None:
        self.path, self._lock = path, lock

    @classmethod
    def make(cls, base: str | None = None) -> Self:
        """Make one. Raises `OSError`; `Invalid` if the path leaves no room for a socket."""
        path = tempfile.mkdtemp(prefix=PREFIX, dir=base)
        try:
            check_path(path)
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.rmdir(path)
            raise
        return cls(path, lock)

    def sockets(self) -> str:
        """Make a fresh directory for the next process and return its path."""
        path = tempfile.mkdtemp(prefix="s", dir=self.path)
        check_path(path)
        return path

    def copy(self, program: Path, digest: str) -> str:
        """Copy a program and return where it is. Raises `OSError`, `Invalid` if it differs.

        What was compared is what is executed: nobody else can write to the copy.
        """
        target = os.path.join(self.path, "plugin")
        found = hashlib.sha256()
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o500)
        with open(program, "rb") as source, open(handle, "wb") as copy:
            while data := source.read(_CHUNK):
                found.update(data)
                copy.write(data)
        if digest and found.hexdigest() != digest:
            raise wrong_digest(digest, found.hexdigest())
        return target

    def compare(self, copy: str, digest: str) -> None:
        """Compare the copy again. Raises `Invalid`."""
        with open(copy, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if digest and found != digest:
            raise wrong_digest(digest, found)

    def remove(self) -> None:
        """Remove it with all that is in it; it may be gone already."""
        shutil.rmtree(self.path, ignore_errors=True)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def sweep(base: str | None = None) -> int:
    """Remove what processes have left that were killed; return how many directories."""
    swept = 0
    for entry in Path(base or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if entry.is_symlink() or not entry.is_dir() or entry.stat().st_uid != os.geteuid():
                continue
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry, ignore_errors=True)
                swept += 1
            finally:
                os.close(lock)
    return swept
