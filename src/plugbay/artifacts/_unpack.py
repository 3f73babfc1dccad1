"""Unpacked wheels: `<data>/unpacked/<hex>/`, read-only, whole or not there. Blocking."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts._archive import Archive, ArchiveLimits
from plugbay.artifacts._digest import is_digest
from plugbay.kernel import Unavailable
from plugbay.storage import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.artifacts._archive import Entry
    from plugbay.artifacts._blobs import Blobs

PREFIX = "unpack-"


class Unpacked:
    """The extracted wheels. They can always be made again from the blobs."""

    def __init__(self, data: Path, blobs: Blobs) -> None:
        self.root = data / "unpacked"
        self._blobs = blobs

    def prepare(self) -> None:
        """Make the directory, for the owner only."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the wheel is or would be unpacked."""
        return self.root / digest

    def ensure(self, digest: str) -> Path:
        """Return the directory, made now if it is missing.

        Only for blobs that the form layer has passed. Raises `NotFound`, and `Unavailable` if
        the blob is damaged or the disk is full; then nothing is left behind.
        """
        path = self.path(digest)
        if path.is_dir():
            return path
        self._blobs.open(digest).close()
        try:
            self._unpack(self._blobs.path(digest), path)
        except OSError as error:
            if not path.is_dir():  # else somebody else was quicker, with the same bytes
                raise Unavailable(
                    f"the artifact {digest} cannot be unpacked: {error.strerror};"
                    " free space in the data directory and try again"
                ) from error
        return path

    def remove(self, digest: str) -> None:
        """Remove the directory; it need not be there."""
        path = self.path(digest)
        if path.is_dir():
            # Out of its place first: half a directory must never look like a whole one.
            grave = Path(tempfile.mkdtemp(dir=self._blobs.tmp, prefix=PREFIX))
            path.chmod(0o700)
            path.rename(grave / digest)
            remove_tree(grave)

    def digests(self) -> Iterator[str]:
        """Yield the digest of everything that is unpacked."""
        for path in self.root.iterdir():
            if is_digest(path.name):
                yield path.name

    def _unpack(self, blob: Path, path: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=self._blobs.tmp, prefix=PREFIX))
        try:
            with Archive.open(blob, ArchiveLimits()) as archive:
                for entry in archive.entries:
                    _extract(archive, entry, folder)
            _seal(folder)
            folder.rename(path)
            path.chmod(0o500)  # last: a directory can be renamed only while it is writable
            sync_directory(self.root)
        except BaseException:
            remove_tree(folder)
            raise


def _extract(archive: Archive, entry: Entry, folder: Path) -> None:
    target = folder / entry.name
    if entry.is_directory:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        for chunk in archive.chunks(entry):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    target.chmod(0o400)


def _seal(folder: Path) -> None:
    """Make the directories below `folder` read-only, the deepest first, and all durable."""
    for name, _, _ in os.walk(folder, topdown=False):
        path = Path(name)
        sync_directory(path)
        if path != folder:
            path.chmod(0o500)


def remove_tree(folder: Path) -> None:
    """Remove a directory whose parts may be read-only; it need not be there."""
    for name, _, _ in os.walk(folder):
        os.chmod(name, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
