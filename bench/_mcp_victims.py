"""Who is killed around MCP traffic, and finding them among the processes of the system."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

SERVER, GO, PYTHON = "server", "Go plugin", "Python plugin"
ROLES = (SERVER, GO, PYTHON)
STARTING = "starting"
"""What is to become one of those: a copy of the wrapper, or what limits a plugin and then is it."""


def below(pid: int) -> dict[int, str]:
    """Return the processes below one, and their command lines."""
    found: dict[int, str] = {}
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found |= {child: _command(child)} | below(child)
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def role(command: str) -> str:
    """Return what a process below the wrapper is."""
    if not command or "plugbay monitor" in command or "launcher.py" in command:
        return STARTING
    if "_mcp_server.py" in command:
        return SERVER
    return PYTHON if "python" in command.partition(" ")[0] else GO


def is_whole(family: dict[int, str]) -> bool:
    """Whether all of them run, and nothing else."""
    return {*map(role, family.values())} == {*ROLES}


def await_family(pid: int, patience: float) -> dict[int, str]:
    """Wait until the server and both plugins run below the wrapper; return what runs then."""
    until = time.monotonic() + patience
    while True:
        family = below(pid)
        if is_whole(family) or time.monotonic() > until:
            return family
        time.sleep(0.005)


def await_role(pid: int, wanted: str, patience: float) -> list[int]:
    """Return the processes below the wrapper that are this, as soon as there are some."""
    until = time.monotonic() + patience
    while True:
        found = [child for child, line in below(pid).items() if role(line) == wanted]
        if found or time.monotonic() > until:
            return found
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids: set[int], patience: float) -> set[int]:
    """Wait until these have ended; return those that have not."""
    until = time.monotonic() + patience
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < until:
        time.sleep(0.01)
    return left
