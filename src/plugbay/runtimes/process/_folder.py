"""The private directory of a plugin's process: the copy of its program, and its socket."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Self

from plugbay.isolation import find_user
from plugbay.runtimes.process._handshake import check_path, wrong_digest
from plugbay.storage import open_regular

PREFIX = "plugbay-proc-"
_CHUNK = 1 << 20
_FRESH = 60.0
"""Seconds for which a directory may not be locked yet, because it has just been made."""


class Folder:
    """A directory that only this user can enter. It is locked as long as its owner lives.

    For a process of another user it can be passed, and that user has the sockets' directory.
    """

    def __init__(self, path: str, lock: int, owner: tuple[int, int] | None) -> None:
        self.path, self._lock, self._owner = path, lock, owner

    @classmethod
    def make(cls, base: str | None = None, *, user: str = "") -> Self:
        """Make one, for a process of `user` or of this one's, and remove those of the dead.

        Raises `OSError`; `Invalid` if the path leaves no room for a socket, or nobody is called so.
        """
        owner = find_user(user) if user else None
        sweep(base)
        path = tempfile.mkdtemp(prefix=PREFIX, dir=base)
        try:
            check_path(path)
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if owner is not None:
                os.chmod(path, 0o711)  # noqa: S103 - to pass through, not to read
        except BaseException:
            os.rmdir(path)
            raise
        return cls(path, lock, owner)

    def sockets(self) -> str:
        """Make a fresh directory for the next process and return its path."""
        path = tempfile.mkdtemp(prefix="s", dir=self.path)
        check_path(path)
        if self._owner is not None:
            os.chown(path, *self._owner)
        return path

    def copy(self, program: Path, digest: str, name: str = "plugin") -> str:
        """Copy a program and return where it is. Raises `OSError`, `Invalid` if it differs.

        What was compared is what is executed: nobody else can write to the copy.
        """
        target = os.path.join(self.path, name)
        found = hashlib.sha256()
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o500)
        if self._owner is not None:
            os.fchmod(handle, 0o555)
        with open(handle, "wb") as copy, open_regular(program) as source:
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
            about = entry.lstat()
            fresh = about.st_mtime > time.time() - _FRESH
            if fresh or not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry, ignore_errors=True)
                swept += 1
            finally:
                os.close(lock)
    return swept
