"""Files that a reader sees whole or not at all, whatever happens to the writer."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write `data` to `path` durably: temporary file, fsync, rename, fsync of the directory.

    Raises `OSError`; then `path` is as it was and nothing is left behind.
    """
    import tempfile  # workers, which hardly ever write, do without what it brings

    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_directory(path.parent)


def keep_key(path: Path, size: int) -> bytes:
    """Return the secret key in a file, made of `size` random bytes if it is not there (mode 0600).

    Raises `Invalid` if the file is no such key, and `OSError`.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = os.urandom(size)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, key)
    if len(key) != size:
        raise Invalid(f"{path} is no key: it has {len(key)} bytes, not {size}")
    return key


def sync_directory(path: Path) -> None:
    """Make renames and removals inside `path` durable. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to be read. Raises `OSError`, also for anything else.

    Whoever opens a named pipe waits until somebody writes to it, which may be never.
    """
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return file
