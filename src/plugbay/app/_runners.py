"""The runners of Go plugins: one cache for the supervisor, which builds, and all workers."""

from __future__ import annotations

import os
from pathlib import Path

from plugbay.artifacts import inspect_go
from plugbay.runtimes.goso import Builder, Runners


def make_runners(data: Path | None = None) -> Runners:
    """Return those of a data directory; without one, those of this user.

    Raises `FileNotFoundError` if the runner's source was not installed.
    """
    if data is None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        data = Path(home) / "plugbay"
    return Runners(Builder(data / "runners"), inspect_go)
