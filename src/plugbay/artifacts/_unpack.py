"""What is run: `<data>/unpacked/<hex>/`, read-only, whole or not there. Blocking.

A wheel is extracted there; a binary is the one file in it, which may be executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts._archive import Archive, ArchiveLimits
from plugbay.artifacts._digest import CHUNK, is_digest
from plugbay.kernel import Unavailable
from plugbay.storage import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from plugbay.artifacts._archive import Entry
    from plugbay.artifacts._blobs import Blobs

PREFIX = "unpack-"
_LONGEST = 200


class Unpacked:
    """Extracted wheels and binaries. They can always be made again from the blobs."""

    def __init__(self, data: Path, blobs: Blobs) -> None:
        self.root = data / "unpacked"
        self._blobs = blobs

    def prepare(self) -> None:
        """Make the directory, for the owner only."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return the directory where the wheel or the binary is or would be."""
        return self.root / digest

    def ensure(self, digest: str) -> Path:
        """Return the directory, made now if it is missing.

        Only for blobs that the form layer has passed. Raises `NotFound`, and `Unavailable` if
        the blob is damaged or the disk is full; then nothing is left behind.
        """
        return self._made(digest, self._extract_all)

    def place(self, digest: str, filename: str) -> Path:
        """Return the binary as a file that can be run, made now if it is missing.

        Its name is what is safe of `filename`. Raises as `ensure` does.
        """
        name = safe_name(filename)

        def copy(digest: str, folder: Path) -> None:
            with self._blobs.open(digest) as blob:
                _copy(blob, folder / name, digest)

        folder = self._made(digest, copy)
        if not (folder / name).is_file():  # it was uploaded before under another name
            return next(folder.iterdir())
        return folder / name

    def _made(self, digest: str, fill: Callable[[str, Path], None]) -> Path:
        path = self.path(digest)
        if path.is_dir():
            return path
        try:
            self._make(path, digest, fill)
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
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                path.chmod(0o700)
                path.rename(grave / digest)
            remove_tree(grave)

    def digests(self) -> Iterator[str]:
        """Yield the digest of everything that is unpacked."""
        for path in self.root.iterdir():
            if is_digest(path.name):
                yield path.name

    def _extract_all(self, digest: str, folder: Path) -> None:
        self._blobs.open(digest).close()  # whole, and what its name says
        with Archive.open(self._blobs.path(digest), ArchiveLimits()) as archive:
            for entry in archive.entries:
                _extract(archive, entry, folder)

    def _make(self, path: Path, digest: str, fill: Callable[[str, Path], None]) -> None:
        folder = Path(tempfile.mkdtemp(dir=self._blobs.tmp, prefix=PREFIX))
        try:
            fill(digest, folder)
            _seal(folder)
            folder.rename(path)
            path.chmod(0o500)  # last: a directory can be renamed only while it is writable
            sync_directory(self.root)
        except BaseException:
            remove_tree(folder)
            raise


def safe_name(filename: str) -> str:
    """Return a file name that no shell and no path can misread."""
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", filename)[:_LONGEST]
    return plain if plain.strip("._-") and plain[0] not in ".-" else f"plugin{plain}"[:_LONGEST]


def _copy(source: BinaryIO, target: Path, digest: str) -> None:
    """Copy a blob; what was written is what its name says. Raises `Unavailable`, `OSError`."""
    written = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)
            written.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    if written.hexdigest() != digest:
        raise Unavailable(f"the bytes of artifact {digest} have changed while they were copied")
    target.chmod(0o555)


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Extract a wheel that is in no store into a new directory, under an upload's limits.

    Raises `Invalid` for an archive that an upload would refuse. Blocking.
    """
    folder.mkdir(mode=0o700, parents=True)
    try:
        with Archive.open(wheel, ArchiveLimits()) as archive:
            for entry in archive.entries:
                _extract(archive, entry, folder)
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
