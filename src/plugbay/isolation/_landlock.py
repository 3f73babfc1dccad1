"""Landlock (landlock(7)): a process gives up files, TCP ports and signals, by its own will.

Rules name directories: what is below them is granted. The kernel says by a number, its ABI, what
it can refuse; what it does not know stays open, so the number is told to the operator.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable

CREATE, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1
"""All rights of the first ABI."""
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
READING = EXECUTE | READ_FILE | READ_DIR
TCP = 3
SCOPES = 3
"""Abstract Unix sockets, and signals to processes outside."""
TCP_ABI, SCOPES_ABI = 4, 6


def landlock_abi(libc: "ctypes.CDLL") -> int:
    """Return the kernel's ABI; 0 if it has none, or was told not to use it."""
    return max(int(libc.syscall(CREATE, None, 0, VERSION)), 0)


def restrict(
    libc: "ctypes.CDLL", read: "Iterable[str]", write: "Iterable[str]", *, tcp: bool
) -> int:
    """Grant what is named and give up the rest for good; return the ABI, 0 if nothing was done.

    In what may be written nothing can be executed. It needs `no_new_privs`. Without `tcp` no TCP
    port can be bound or connected to.
    """
    abi = landlock_abi(libc)
    if not abi:
        return 0
    handled = _rights(abi)
    sizes = (handled, 0 if tcp or abi < TCP_ABI else TCP, SCOPES if abi >= SCOPES_ABI else 0)
    known = 1 + (abi >= TCP_ABI) + (abi >= SCOPES_ABI)
    attributes = b"".join(_u64(number) for number in sizes[:known])
    ruleset = libc.syscall(CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return 0
    writing = handled & ~(EXECUTE | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEVICE)
    for paths, rights in ((read, handled & READING), (write, writing)):
        for path in paths:
            _grant(libc, ruleset, path, rights)
    done = libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return abi if done else 0


def _rights(abi: int) -> int:
    rights = FIRST
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEVICE)):
        if abi >= since:
            rights |= right
    return rights


def _grant(libc: "ctypes.CDLL", ruleset: int, path: str, rights: int) -> None:
    """Add a rule; a path that is not there grants nothing."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= ON_FILES
    rule = _u64(rights) + opened.to_bytes(4, "little")
    libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    os.close(opened)


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")
