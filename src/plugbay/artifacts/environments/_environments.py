"""`<data>/environments/<digest of the lock>/`: whole or not there, shared by all who lock the same.

An environment is built aside, made durable and renamed into its place, so that a build that was
killed leaves nothing half-made; the next start clears it away. Nothing is fetched at a start.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts._digest import is_digest
from plugbay.artifacts._threads import KeyedLocks, in_thread
from plugbay.artifacts._unpack import remove_tree
from plugbay.artifacts.environments._install import Source, install
from plugbay.artifacts.environments._lock import read_lock
from plugbay.kernel import Unavailable
from plugbay.storage import sync_directory, write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection

    from plugbay.artifacts.environments._lock import Lock

PREFIX = ".build-"
_DEFAULT = Source()


class Environments:
    """The environments below one data directory."""

    def __init__(self, data: Path, source: Source = _DEFAULT) -> None:
        self.root, self.source = data / "environments", source
        self._locks = KeyedLocks()

    def prepare(self) -> None:
        """Make the directory, and clear away what a gateway that ended was building. Blocking."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.root.glob(f"{PREFIX}*"):
            remove_tree(left)

    def path(self, lock: Lock) -> Path:
        """Return where the environment of a lock is, or would be."""
        return self.root / lock.digest

    def of(self, payload: Path) -> Path:
        """Return where the environment of an unpacked wheel is, or would be. Blocking.

        Raises `Invalid` for a wrong lock.
        """
        return self.path(read_lock(payload))

    async def ensure(self, lock: Lock) -> Path:
        """Return the environment of a lock, built now if it is missing.

        Raises `Invalid` if the lock is at fault, `Unavailable` if something else is; then
        nothing is left behind.
        """
        path = self.path(lock)
        async with self._locks.hold(lock.digest):
            if not path.is_dir():
                await self._build(lock, path)
        return path

    async def collect(self, kept: Collection[Path]) -> list[str]:
        """Remove all that are not kept, and return their names."""
        names = {path.name for path in kept}
        gone: list[str] = []
        for path in await in_thread(lambda: sorted(self.root.iterdir())):
            if is_digest(path.name) and path.name not in names:
                async with self._locks.hold(path.name):
                    await in_thread(self._remove, path)
                gone.append(path.name)
        return gone

    async def _build(self, lock: Lock, path: Path) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self.root, prefix=PREFIX))
            try:
                await in_thread(_make, folder)
                requirements = folder / "plugbay.lock"
                await in_thread(write_atomically, requirements, lock.text().encode())
                if lock.pins:
                    await install(folder, requirements, self.source)
                await in_thread(_settle, folder, path)
            except BaseException:
                await asyncio.shield(in_thread(remove_tree, folder))
                raise
        except OSError as error:
            raise Unavailable(
                f"the environment cannot be built: {error.strerror};"
                " free space in the data directory and try again"
            ) from error

    def _remove(self, path: Path) -> None:
        grave = Path(tempfile.mkdtemp(dir=self.root, prefix=PREFIX))
        path.rename(grave / path.name)  # half an environment must never look like a whole one
        remove_tree(grave)


def _make(folder: Path) -> None:
    """Make an empty environment with the interpreter of the gateway's own. Blocking."""
    builder = venv.EnvBuilder(symlinks=True, with_pip=False)
    builder.create(folder)
    for script in (folder / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()


def _settle(folder: Path, path: Path) -> None:
    """Make everything durable, then put it in its place. Blocking."""
    for script in (folder / "bin").iterdir():
        if not script.name.startswith("python"):  # they name the place where it was built
            if script.is_dir() and not script.is_symlink():
                shutil.rmtree(script)
            else:
                script.unlink()
    _sync(folder)
    folder.rename(path)
    sync_directory(path.parent)


def _sync(folder: Path) -> None:
    for name, _, files in os.walk(folder):
        for file in files:
            whole = os.path.join(name, file)
            if os.path.islink(whole):
                continue
            opened = os.open(whole, os.O_RDONLY)
            try:
                os.fdatasync(opened)
            finally:
                os.close(opened)
        sync_directory(Path(name))
