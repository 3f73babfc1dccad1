"""The steps by which a process confines itself, in the only order in which they can be made."""

import errno
import os
import resource
import sys

from plugbay.isolation._landlock import TCP_ABI, restrict
from plugbay.isolation._mounts import cover
from plugbay.isolation._namespaces import (
    NEWIPC,
    NEWNET,
    NEWNS,
    NEWPID,
    NEWUSER,
    leave,
    raise_loopback,
)
from plugbay.isolation._orders import Orders, insisted, read_orders

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, SIGKILL = 1, 4, 38, 9
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
CAP_VERSION_3 = 0x20080522
BUSY_TRIES, BUSY_SECONDS = 200, 0.005
REFUSED, CANNOT_EXECUTE = 125, 126


def main(arguments: list[str]) -> "NoReturn":
    """Confine this process by the orders, and execute the program.

    What could not be had, and why the program cannot be executed, goes to `report`, a line each;
    the execution closes that, so its end means that the program runs.
    """
    import ctypes  # not for those who only make orders

    orders = read_orders(arguments[0])
    os.set_inheritable(orders.report, False)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        missing, abi = confine(libc, orders)
    except OSError as error:
        say(orders, f"error {error.strerror}")
        os._exit(REFUSED)
    for code in missing:
        say(orders, f"missing {code}")
    if orders.require and insisted(missing):
        say(orders, f"refused {' '.join(insisted(missing))}")
        os._exit(REFUSED)
    if orders.dry:
        say(orders, f"landlock {abi}")
        os._exit(0)
    failed = execute(arguments[1:])
    say(orders, f"error {failed.strerror}")
    os._exit(CANNOT_EXECUTE)


def confine(libc: "ctypes.CDLL", orders: Orders) -> tuple[list[str], int]:
    """Take from this process what is not granted; return what could not be, and Landlock's ABI."""
    owner = os.geteuid() if orders.user < 0 else orders.user
    kept = [*orders.read, *orders.write]
    got = leave(libc, _wanted(orders), own_user=orders.user < 0)
    hidden = bool(got & NEWNS) and cover(libc, orders.hide, kept)
    os.umask(0o077)
    os.chdir(orders.directory)  # not as it was: what was covered could be reached from there
    if got & NEWNET and orders.network == "loopback":
        raise_loopback(libc)
    if orders.user >= 0:
        become(libc, orders)
        got |= leave(libc, 0, own_user=True)
    counted = limit(orders, alone=owner != 0 and (orders.user >= 0 or bool(got & NEWUSER)))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    abi = 0
    if orders.guard:
        tcp = orders.network == "host" or (orders.network == "loopback" and bool(got & NEWNET))
        abi = restrict(libc, orders.read, orders.write, tcp=tcp)
    drop_capabilities(libc)
    follow_parent(libc, orders)
    return _missing(orders, got, hidden=hidden, counted=counted, abi=abi), abi


def _wanted(orders: Orders) -> int:
    wanted = NEWPID | NEWIPC if orders.apart else 0
    if orders.guard:
        wanted |= NEWIPC | NEWNS
        wanted |= 0 if orders.network == "host" else NEWNET
    return wanted


def _missing(orders: Orders, got: int, *, hidden: bool, counted: bool, abi: int) -> list[str]:
    missing = [] if counted else ["processes"]
    if orders.apart and not got & NEWPID:
        missing.append("pids")
    if not orders.guard:
        return missing
    if not abi:
        missing.append("files")
    if not hidden:
        missing.append("sockets")
    if orders.network != "host" and not got & NEWNET:
        missing.append("network" if abi < TCP_ABI else "udp")
    return missing


def become(libc: "ctypes.CDLL", orders: Orders) -> None:
    """Change to another user for good. Raises `OSError` if that is not allowed."""
    os.setgroups([])
    os.setresgid(orders.group, orders.group, orders.group)
    os.setresuid(orders.user, orders.user, orders.user)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else its own /proc/self would be root's


def limit(orders: Orders, *, alone: bool) -> bool:
    """Set the limits of resources; return whether the one of processes counts.

    Processes are counted by user: so only where this one is `alone`, as its user is not root,
    who is never limited (setrlimit(2)), and counts nobody else's.
    """
    counted = True
    for what, (soft, hard) in orders.limits.items():
        if what == resource.RLIMIT_NPROC and not alone:
            counted = False
            continue
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(what, (soft, hard))
    return counted


def drop_capabilities(libc: "ctypes.CDLL") -> None:
    """Take every capability from it (capset(2))."""
    number = SYS_CAPSET.get(os.uname().machine)
    if number is not None:
        header = CAP_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)
        libc.syscall(number, header, bytes(24))


def follow_parent(libc: "ctypes.CDLL", orders: Orders) -> None:
    """End with the parent. After all else: a change of the user takes it back (prctl(2))."""
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != orders.parent:
        os._exit(1)  # it has ended before we asked to be told of it


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
            wait()


def wait() -> None:
    """Wait a little; `time` is imported only now, because it is hardly ever needed."""
    import time

    time.sleep(BUSY_SECONDS)


def say(orders: Orders, line: str) -> None:
    """Write a line to the report."""
    os.write(orders.report, line.encode() + b"\n")
