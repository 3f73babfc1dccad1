"""The data directory of a gateway: made, held by one supervisor, and who works on it."""

from __future__ import annotations

import contextlib
import fcntl
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

from plugbay.kernel import Conflict
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable


def prepare(data: Path) -> Path:
    """Make it, for its owner alone."""
    for folder in (data, data / "run", data / "secrets"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return data


def hold(data: Path) -> IO[str]:
    """Keep a second supervisor out until this is closed. Raises `Conflict`."""
    file = (data / "run" / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Conflict(f"a gateway is running on {data} already; stop it first") from None
    return file


class WorkersNotice:
    """Word of which workers run, for a supervisor that has to take them over."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / "workers.json"

    def leave(self, pids: Iterable[int]) -> None:
        """Write who runs now."""
        write_atomically(self._path, json.dumps(list(pids)).encode())

    def remove(self) -> None:
        """Nobody is to be taken over."""
        self._path.unlink(missing_ok=True)

    def alive(self) -> bool:
        """Whether a worker of an earlier supervisor still runs."""
        try:
            pids = [int(pid) for pid in json.loads(self._path.read_text())]
        except (OSError, ValueError, TypeError):
            return False
        return any(b"plugbay.app.worker" in _command_of(pid) for pid in pids)


def _command_of(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
