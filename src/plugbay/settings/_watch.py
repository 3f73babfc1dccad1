"""Noticing that a file has changed, without polling its content."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

Stamp = tuple[int, int, int] | None


async def watch(path: Path, *, interval: float = 1.0) -> AsyncGenerator[None]:
    """Yield each time `path` was written, replaced or came back, looked at every `interval` s.

    A stat a second instead of inotify: it sees renames over the file, symbolic links that are
    turned (as Kubernetes turns a ConfigMap's) and network file systems alike.
    """
    last = _stamp(path)
    while True:
        await asyncio.sleep(interval)
        now = _stamp(path)
        if now != last and now is not None:
            yield
        last = now


def _stamp(path: Path) -> Stamp:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
