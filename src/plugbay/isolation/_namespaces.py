"""Namespaces (namespaces(7)): a network, mounts and process numbers of one's own.

A user may make them inside a user namespace, where the host allows that; root may always. Nothing
is changed for the user that files belong to.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8914, 0x1


def leave(libc: "ctypes.CDLL", flags: int, *, own_user: bool) -> int:
    """Leave the namespaces of `flags`; return of which there is an own one now.

    With `own_user` in a user namespace of its own, if that can be had. What cannot be had all at
    once is tried one by one.
    """
    if own_user:
        user, group = os.geteuid(), os.getegid()
        if libc.unshare(NEWUSER | flags) == 0:
            keep_names(user, group)
            return NEWUSER | flags
    if libc.unshare(flags) == 0:
        return flags
    got = 0
    for flag in (NEWNS, NEWIPC, NEWPID, NEWNET):
        if flags & flag and libc.unshare(flag) == 0:
            got |= flag
    return got


def keep_names(user: int, group: int) -> None:
    """Let the process see its own user and group as before (user_namespaces(7))."""
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
        except OSError:
            return  # then it is nobody, which is no less apart


def raise_loopback(libc: "ctypes.CDLL") -> None:
    """Bring up 127.0.0.1 in the new network, for the process alone (netdevice(7))."""
    probe = libc.socket(AF_INET, SOCK_DGRAM, 0)
    if probe >= 0:
        libc.ioctl(probe, SIOCSIFFLAGS, b"lo".ljust(16, b"\0") + bytes([IFF_UP]).ljust(24, b"\0"))
        os.close(probe)
