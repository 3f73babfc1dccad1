"""What a process may use and reach, and how it is started so."""

from __future__ import annotations

import os
import pwd
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from plugbay.isolation import _confine
from plugbay.isolation._orders import Orders
from plugbay.isolation._view import hidden, own_process, readable, writable
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

Isolation = Literal["require", "prefer", "off"]
Network = Literal["none", "loopback", "host"]

LAUNCHER = Path(_confine.__file__).with_name("launcher.py")
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What a process may use and reach; 0 is no limit.

    `data_mb` bounds its private memory (RLIMIT_DATA): what is only reserved, as Go does by the
    gigabyte, is not counted; `address_mb` bounds that, too. `network` is `none`, a `loopback` of
    its own, or the `host`'s. `read` and `write` are granted beside what programs need anyway,
    and `hide` is covered: in what is hidden there is only what is granted below it. With
    `apart` its children get a process namespace of their own.
    """

    data_mb: int = 0
    address_mb: int = 0
    open_files: int = 256
    file_mb: int = 0
    cpu_seconds: int = 0
    processes: int = 0
    network: Network = "loopback"
    isolation: Isolation = "prefer"
    user: str = ""
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    apart: bool = False

    def command(
        self, arguments: Sequence[str], *, directory: str, report: int, dry: bool = False
    ) -> list[str]:
        """Return the command that starts `arguments` in this sandbox, and in `directory`.

        `report` is the descriptor for the launcher's report. A `dry` one executes nothing. Raises
        `Invalid` if there is no such user, or a path cannot be told.
        """
        orders = self._orders(arguments[0], directory)
        orders.report, orders.dry = report, dry
        return _launch(orders, arguments)

    def _orders(self, program: str, directory: str) -> Orders:
        orders = Orders()
        orders.parent, orders.directory = os.getpid(), directory
        orders.guard, orders.require = self.isolation != "off", self.isolation == "require"
        orders.network, orders.apart = self.network, self.apart
        orders.limits = self._limits()
        orders.read = readable(program, self.read, network=self.network == "host")
        orders.read += ["/proc"] if self.apart else own_process()
        orders.write = writable((directory, *self.write))
        orders.hide = hidden(self.hide)
        if self.user:
            orders.user, orders.group = find_user(self.user)
        return orders

    def _limits(self) -> dict[int, tuple[int, int]]:
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: self.open_files
            or resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            resource.RLIMIT_DATA: self.data_mb * _MIB,
            resource.RLIMIT_AS: self.address_mb * _MIB,
            resource.RLIMIT_FSIZE: self.file_mb * _MIB,
            resource.RLIMIT_NPROC: self.processes,
        }
        core = resource.RLIMIT_CORE
        found = {what: (most, most) for what, most in limits.items() if most or what == core}
        if self.cpu_seconds:  # the soft limit ends it by SIGXCPU, which says why
            found[resource.RLIMIT_CPU] = (self.cpu_seconds, self.cpu_seconds + 1)
        return found


def _launch(orders: Orders, arguments: Sequence[str]) -> list[str]:
    try:
        text = orders.text()
    except ValueError as error:
        raise Invalid(f"the process cannot be confined: {error}") from None
    return [sys.executable, "-I", "-S", "-B", str(LAUNCHER), text, *arguments]


def find_user(name: str) -> tuple[int, int]:
    """Return the ids of the user and group of another user. Raises `Invalid`."""
    try:
        found = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if name.isdigit():
            return int(name), int(name)
        raise Invalid(f"there is no user {name!r} here to run plugins as") from None
    return found.pw_uid, found.pw_gid


def may_change_user() -> bool:
    """Return whether this process may start others as another user: only root may."""
    return os.geteuid() == 0
