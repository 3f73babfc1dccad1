"""A temporary file that is hashed while it is written. Blocking."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from plugbay.kernel import Unavailable

PREFIX = "upload-"


class Spool:
    """Bytes on their way into the store. Nothing is on disk before `open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hash = hashlib.sha256()
        self._descriptor = -1
        self.path: Path | None = None
        self.size = 0

    def open(self) -> None:
        """Make the file, for the owner only. Raises `Unavailable`, as the others do."""
        try:
            self._descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=PREFIX)
        except OSError as error:
            raise _unavailable(error) from error
        self.path = Path(name)

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _unavailable(error) from error
        self._hash.update(data)
        self.size += len(data)

    def finish(self) -> str:
        """Make it durable, close it and return the SHA-256 in hex."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unavailable(error) from error
        self._close()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind; a file that was renamed away stays where it is."""
        self._close()
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(
        f"the upload cannot be stored: {error.strerror}; nothing of it was kept."
        " Free space in the data directory and try again"
    )
