"""Noticing that files have changed, without polling their content."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

Stamp = tuple[int, int, int] | None


async def watch(*paths: Path, interval: float = 1.0) -> AsyncGenerator[None]:
    """Yield each time one was written, replaced or came back, looked at every `interval` s, and
    all of them are there.

    A stat a second instead of inotify: it sees renames over the file, symbolic links that are
    turned (as Kubernetes turns a ConfigMap's) and network file systems alike.
    """
    last = [_stamp(path) for path in paths]
    while True:
        await asyncio.sleep(interval)
        now = [_stamp(path) for path in paths]
        if now != last and None not in now:
            yield
        last = now


def _stamp(path: Path) -> Stamp:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
