"""Which files a program needs before it is granted any: libraries, time zones, its interpreter."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_ETC = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone"),
    *("group", "passwd", "nsswitch.conf", "mime.types", "os-release", "ssl", "ca-certificates"),
)
"""Never all of it: the gateway's own configuration may lie there."""
_ETC_NETWORK = ("gai.conf", "host.conf", "hosts", "protocols", "resolv.conf", "services")
_PROC = ("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version")
_SYS = ("/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage")
_SHARED = ("/run", "/home", "/root", "/tmp", "/var/tmp")  # noqa: S108 - covered, not written
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LONGEST, _LINKS = 256, 8


def readable(program: str, more: Iterable[str], *, network: bool) -> list[str]:
    """Return what a program may read and execute; `more` is granted beside."""
    etc = (*_ETC, *_ETC_NETWORK) if network else _ETC
    found = [*_SYSTEM, *_SYS, program, *interpreter(program), *more]
    found += [f"/etc/{name}" for name in etc]
    found += [f"/proc/{name}" for name in _PROC]
    if network:
        found.append("/run/systemd/resolve")
    return _both(found)


def writable(folders: Iterable[str]) -> list[str]:
    """Return what a program may write: its own directories, and devices that keep nothing."""
    return _both([*folders, *(f"/dev/{name}" for name in _DEVICES)])


def hidden(more: Iterable[str]) -> list[str]:
    """Return what is to be covered: where the sockets and the files of others lie."""
    import tempfile  # only where processes are started

    found = (*_SHARED, tempfile.gettempdir(), os.path.expanduser("~"), *more)
    return sorted({path for one in found if (path := os.path.realpath(one)) != "/"})


def own_process() -> list[str]:
    """Return what it may see of processes: itself."""
    return ["/proc/self"]


def interpreter(program: str) -> Iterator[str]:
    """Yield what the interpreter of a script needs: itself, and where its library lies."""
    try:
        with open(program, "rb") as file:
            first = file.readline(_LONGEST)
    except OSError:
        return
    if not first.startswith(b"#!"):
        return
    path = Path(os.fsdecode(first[2:].split()[0] if first[2:].split() else b"/bin/sh"))
    for one in (path, path.resolve()):
        yield str(one)
        yield from _prefix(one.parent.parent)


def python() -> tuple[str, ...]:
    """Return what this Python needs to run: its library, its packages, and this one."""
    executable = Path(sys.executable)
    links = [executable]
    while links[-1].is_symlink() and len(links) < _LINKS:
        links.append(links[-1].parent / links[-1].readlink())
    here = str(Path(__file__).parents[2])
    return (sys.prefix, sys.base_prefix, sys.base_exec_prefix, here, *map(str, links))


def _prefix(folder: Path) -> Iterator[str]:
    """Yield a folder if it is an interpreter's own, such as a virtual environment."""
    if (folder / "pyvenv.cfg").is_file() or any(folder.glob("lib/python3*")):
        yield str(folder)


def _both(paths: Sequence[str]) -> list[str]:
    """Return the paths, and what they are links to."""
    return list(dict.fromkeys(one for path in paths for one in (path, os.path.realpath(path))))
