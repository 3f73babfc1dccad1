"""A plugin that hangs the event loop for good: its worker ends, and its successor knows why.

Nothing can be done inside the loop, so the watchdog's thread leaves word in a file and ends the
process; the supervisor starts another, which takes the plugin out before it accepts a request.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes import Blocked

EXIT_HANGING = 70
"""EX_SOFTWARE of sysexits.h."""


class BlameFile:
    """Word from a worker that ended itself to the next in its place."""

    def __init__(self, run: Path, worker: str) -> None:
        self._path = run / f"{worker}.blame.json"

    def leave(self, blocked: Blocked) -> None:
        """Say which plugin hung, and end the process. Without a culprit only the log can tell."""
        if blocked.plugin:
            content = {"plugin": blocked.plugin, "reason": describe(blocked)}
            write_atomically(self._path, json.dumps(content).encode())
        os._exit(EXIT_HANGING)

    def take(self) -> tuple[str, str] | None:
        """Return plugin and reason, once."""
        try:
            content = json.loads(self._path.read_text())
            self._path.unlink()
            return str(content["plugin"]), str(content["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def describe(blocked: Blocked) -> str:
    """Say in one line what was seen."""
    where = " < ".join(blocked.stack[:3])
    return f"blocked the event loop for {blocked.seconds * 1000:.0f} ms in {where}"
