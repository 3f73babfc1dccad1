"""Becomes a plugin's process: `python -I -S -B launcher.py <orders> <program> [argument …]`.

It limits and cages itself and then executes the program, which keeps its process id. The orders
are numbers, in the order of `Orders`. What it could not do, and why the program cannot be
executed, it writes to the descriptor `report`, a line each; the execution closes that, so its end
means that the program runs. Few modules are imported, because each costs a start milliseconds.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWIPC, CLONE_NEWNET = 0x10000000, 0x08000000, 0x40000000
AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8914, 0x1
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
CAP_VERSION_3 = 0x20080522
MIB = 1 << 20
BUSY_TRIES = 200
CANNOT_EXECUTE = 126
NO_NETWORK_APART = "no network namespace could be made here: the plugin can reach the network"


class Orders:
    """What it is told; 0 is no limit."""

    def __init__(self, text: str) -> None:
        numbers = [int(number) for number in text.split(",")]
        self.report, self.parent, self.network, self.files = numbers[:4]
        self.data_mb, self.file_mb, self.cpu_seconds = numbers[4:]


def main(arguments: list[str]) -> "NoReturn":
    """Do as told by the orders, and execute the program."""
    orders = Orders(arguments[0])
    os.set_inheritable(orders.report, False)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != orders.parent:
        os._exit(1)  # it has ended before we asked to be told of it
    if not orders.network and not leave_network(libc):
        os.write(orders.report, f"note {NO_NETWORK_APART}\n".encode())
    limit(orders)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    drop_capabilities(libc)
    error = execute(arguments[1:])
    os.write(orders.report, f"error {error.strerror}\n".encode())
    os._exit(CANNOT_EXECUTE)


def execute(arguments: list[str]) -> OSError:
    """Execute the program, which does not return; else return why not."""
    attempt = 1
    while True:
        try:
            os.execv(arguments[0], arguments)  # noqa: S606 - its digest was compared
        except OSError as error:
            # A process that was forked while the copy was written holds it open until it executes.
            if error.errno != errno.ETXTBSY or attempt == BUSY_TRIES:
                return error
            attempt += 1
            time.sleep(0.005)


def leave_network(libc: ctypes.CDLL) -> bool:
    """Move into a network of its own, with nothing but a loopback interface in it."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0:
        keep_names(user, group)
    elif libc.unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0:
        return False
    raise_loopback(libc)
    return True


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


def raise_loopback(libc: ctypes.CDLL) -> None:
    """Bring up 127.0.0.1: a plugin may listen there for itself (netdevice(7))."""
    probe = libc.socket(AF_INET, SOCK_DGRAM, 0)
    if probe >= 0:
        libc.ioctl(probe, SIOCSIFFLAGS, b"lo".ljust(16, b"\0") + bytes([IFF_UP]).ljust(24, b"\0"))
        os.close(probe)


def limit(orders: Orders) -> None:
    """Set the limits of resources.

    Memory is counted as data (RLIMIT_DATA): what is only reserved, as Go does by the gigabyte,
    is not used.
    """
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, orders.files or resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        (resource.RLIMIT_DATA, orders.data_mb * MIB or resource.RLIM_INFINITY),
        (resource.RLIMIT_FSIZE, orders.file_mb * MIB or resource.RLIM_INFINITY),
    ):
        resource.setrlimit(what, (most, most))
    seconds = orders.cpu_seconds
    if seconds:  # the soft limit ends it by SIGXCPU, which says why
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def drop_capabilities(libc: ctypes.CDLL) -> None:
    """Take every capability from it."""
    number = SYS_CAPSET.get(os.uname().machine)
    if number is not None:
        header = CAP_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)
        libc.syscall(number, header, bytes(24))


if __name__ == "__main__":
    main(sys.argv[1:])
