"""Memory that the workers of one node share: files in memory, mapped by each worker.

They lie in `/dev/shm` (tmpfs: no disk is written), else beside the sockets, in a directory whose
name says which data directory and which start of the machine they belong to. All of a file is
allocated when it is made: a hole that could not be filled later would kill the worker that
writes there (SIGBUS). A worker's number is a byte of a file that it has locked (fcntl(2)): the
kernel gives it back when the worker ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import re
import stat
from pathlib import Path

from plugbay.sdk import HostUnavailable, SharedMemory

MEMORY = Path("/dev/shm")  # noqa: S108 - the directory below it is ours alone, and checked
LARGEST = 4 << 30
SPARE = 2
"""Numbers beyond those of the workers, for workers that drain while others have their place."""
_NAME = re.compile(r"[a-z][a-z0-9.-]{0,63}")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def places(data: Path) -> tuple[Path, ...]:
    """Return the directories where shared memory of this data directory may lie, best first."""
    boot = _BOOT.read_text() if _BOOT.exists() else ""
    name = hashlib.sha256(f"{data}\n{boot}".encode()).hexdigest()[:24]
    return (MEMORY / f"plugbay-{os.getuid()}-{name}", data / "run" / f"shared-{name}")


def remove_shared(data: Path) -> None:
    """Give the memory back: no worker runs any more."""
    for place in places(data):
        if _is_ours(place):
            import shutil  # the supervisor removes; workers do without

            shutil.rmtree(place, ignore_errors=True)


class SharedBlocks:
    """The blocks that this worker has mapped; a block stays mapped as long as the process."""

    def __init__(self, data: Path, members: int) -> None:
        self._places, self.members = places(data), members
        self._numbers = data / "run" / "shared-members"
        self._views: dict[str, memoryview] = {}
        self._owners: dict[str, str] = {}
        self._index = -1
        self._lock = -1

    def take(self, plugin: str, name: str, size: int, each: int = 0) -> SharedMemory:
        """Return a plugin's block. Raises `ValueError`, and `HostUnavailable`."""
        size += each * self.members
        if not _NAME.fullmatch(name) or not 0 < size <= LARGEST:
            raise ValueError(f"no name or size of shared memory: {name!r}, {size}")
        file = f"{plugin}.{name}.{size}"
        self._owners[file] = plugin
        view = self._views.get(file)
        if view is None:
            try:
                view = self._views[file] = self._map(file, size)
            except OSError as error:
                raise HostUnavailable(f"no room for {size} bytes of shared memory") from error
        return SharedMemory(view, self._number(), self.members)

    def sizes(self) -> dict[str, int]:
        """How many bytes each plugin has, of those that are mapped here."""
        found: dict[str, int] = {}
        for file, view in self._views.items():
            owner = self._owners[file]
            found[owner] = found.get(owner, 0) + len(view)
        return found

    def _map(self, file: str, size: int) -> memoryview:
        trouble = OSError("no directory for shared memory")
        for place in self._places:
            try:
                return _mapped(_made(place) / file, size)
            except OSError as error:
                trouble = error
        raise trouble

    def _number(self) -> int:
        """Return this worker's number, and keep it. Raises `HostUnavailable` if all are taken."""
        if self._index >= 0:
            return self._index
        self._lock = os.open(self._numbers, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for index in range(self.members):
            with contextlib.suppress(OSError):
                fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, index)
                self._index = index
                return index
        os.close(self._lock)
        raise HostUnavailable(f"{self.members} workers share this memory already")


def _made(place: Path) -> Path:
    """Make the directory. Raises `OSError` if somebody else was there first."""
    place.mkdir(mode=0o700, parents=False, exist_ok=True)
    if not _is_ours(place):
        raise OSError(f"{place} belongs to somebody else")
    return place


def _is_ours(place: Path) -> bool:
    try:
        found = place.lstat()
    except OSError:
        return False
    private = not stat.S_IMODE(found.st_mode) & 0o077
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and private


def _mapped(file: Path, size: int) -> memoryview:
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(fd).st_size != size:
            try:
                os.posix_fallocate(fd, 0, size)
            except OSError:
                file.unlink()
                raise
        return memoryview(mmap.mmap(fd, size))
    finally:
        os.close(fd)
