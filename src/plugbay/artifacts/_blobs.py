"""Immutable files named by their content: `<data>/blobs/sha256/ab/<hex>`. Blocking."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from plugbay.artifacts._digest import is_digest, sha256_of
from plugbay.kernel import NotFound, Unavailable
from plugbay.storage import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


class Blobs:
    """The content-addressed files below one directory, and the temporary ones beside them."""

    def __init__(self, data: Path) -> None:
        self.root = data / "blobs" / "sha256"
        self.tmp = data / "tmp"

    def prepare(self) -> None:
        """Make the directories, for the owner only."""
        for folder in (self.root, self.tmp):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the blob is or would be."""
        return self.root / digest[:2] / digest

    def adopt(self, spooled: Path, digest: str) -> None:
        """Rename a finished, synced temporary file into its place, durably."""
        path = self.path(digest)
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self.root)
        os.chmod(spooled, 0o400)
        os.replace(spooled, path)
        sync_directory(path.parent)

    def open(self, digest: str) -> BinaryIO:
        """Open a blob whose content was just verified.

        Raises `NotFound` if it is missing and `Unavailable` if its content is not what its
        name says.
        """
        try:
            file = self.path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound(f"the bytes of artifact {digest} are not on this disk") from None
        try:
            if sha256_of(file) != digest:
                raise Unavailable(
                    f"the bytes of artifact {digest} are damaged on disk; upload the file again"
                )
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def sound(self, digest: str) -> bool:
        """Return whether the blob is there and its content is what its name says."""
        try:
            self.open(digest).close()
        except (NotFound, Unavailable):
            return False
        return True

    def remove(self, digest: str) -> None:
        """Remove the blob; it need not be there."""
        path = self.path(digest)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            sync_directory(path.parent)

    def digests(self) -> Iterator[str]:
        """Yield the digest of every blob."""
        for file in self.root.glob("??/*"):
            if is_digest(file.name):
                yield file.name
