"""Directories that are not there for a process, in a mount namespace of its own.

Landlock refuses to open files, not to connect to Unix sockets by their path: those of the gateway
and of other plugins belong to the same user, so the directories with them are covered.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Sequence

OPEN_TREE, MOVE_MOUNT = 428, 429
CLONE, CLOEXEC, RECURSIVE, EMPTY_PATH = 1, os.O_CLOEXEC, 0x8000, 0x4
HERE = -100
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18


def cover(libc: "ctypes.CDLL", hidden: "Sequence[str]", kept: "Sequence[str]") -> bool:
    """Cover directories by empty ones; what is below them and `kept` stays where it was.

    Returns whether all that is there was covered.
    """
    if libc.mount(b"none", b"/", None, REC | PRIVATE, None) != 0:
        return False
    covered = True
    for path in sorted(set(hidden), key=len):
        if os.path.isdir(path) and path not in kept:
            covered = _cover(libc, path, _roots(path, kept)) and covered
    return covered


def _roots(path: str, kept: "Sequence[str]") -> list[str]:
    """Return what to keep below a path, without what is below something that is kept anyway."""
    roots: list[str] = []
    for one in sorted(set(kept)):
        inside = one.startswith(path + "/") and os.path.exists(one)
        if inside and not any(one.startswith(root + "/") for root in roots):
            roots.append(one)
    return roots


def _cover(libc: "ctypes.CDLL", path: str, kept: "Sequence[str]") -> bool:
    trees: list[tuple[str, int, bool]] = []
    for one in kept:
        flags = CLONE | CLOEXEC | RECURSIVE
        tree = int(libc.syscall(OPEN_TREE, HERE, os.fsencode(one), flags))
        if tree < 0:
            return False
        trees.append((one, tree, os.path.isdir(one)))
    name, options = os.fsencode(path), b"size=1m,mode=755"
    done = libc.mount(b"none", name, b"tmpfs", NOSUID | NODEV, options) == 0
    for one, tree, directory in trees:
        done = done and _put(libc, tree, one, directory)
        os.close(tree)
    sealed = REMOUNT | BIND | RDONLY | NOSUID | NODEV
    return done and bool(libc.mount(None, name, None, sealed, None) == 0)


def _put(libc: "ctypes.CDLL", tree: int, path: str, directory: bool) -> bool:
    """Put a detached tree back where it was."""
    if directory:
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    return bool(libc.syscall(MOVE_MOUNT, tree, b"", HERE, os.fsencode(path), EMPTY_PATH) == 0)
